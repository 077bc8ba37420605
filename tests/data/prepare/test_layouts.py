"""What paths of known data sets say."""

from pathlib import Path

import pytest

from takin_jax.data.prepare.layouts import EMOTIONS, Labels, read_labels

# path -> layout, person, emotion, level
PATHS = {
  'MEAD/M003/video/front/angry/level_3/001.mp4': ('mead', 'M003', 'angry', '3'),
  'W009/video/left_30/contempt/level_1/030.mp4': (
    'mead',
    'W009',
    'contempt',
    '1',
  ),
  'M003/video/front/neutral/level_1/001.mp4': ('mead', 'M003', 'neutral', '1'),
  'vox/dev/mp4/id00012/21Uxsk56VDQ/00001.mp4': (
    'voxceleb',
    'id00012',
    '-',
    '-',
  ),
  'id10283/O2jVZ--4vCk/00067.mp4': ('voxceleb', 'id10283', '-', '-'),
  'train/id10283#IxJwFGPNZ5c#001995#002163.mp4': (
    'voxceleb',
    'id10283',
    '-',
    '-',
  ),
  'HDTF/RD_Radio1_000.mp4': ('hdtf', 'RD_Radio1', '-', '-'),
  'HDTF/RD_Radio10_000.mp4': ('hdtf', 'RD_Radio10', '-', '-'),
  'WDA_NancyPelosi0_000.mp4': ('hdtf', 'WDA_NancyPelosi', '-', '-'),
  'WDA_NancyPelosi1_002.mp4': ('hdtf', 'WDA_NancyPelosi', '-', '-'),
  'WRA_MittRomney_000_cfr25.mp4': ('hdtf', 'WRA_MittRomney', '-', '-'),
  'WRA_MittRomney.mp4': ('hdtf', 'WRA_MittRomney', '-', '-'),
}
PLAIN = [
  'clips/anna.mp4',
  'M003/video/front/bored/level_3/001.mp4',
  'M003/video/front/angry/level_4/001.mp4',
  'id00012/holiday.mp4',
  'my_RD_Radio1_000.mp4',
]


@pytest.mark.parametrize('path', PATHS)
def test_known_layouts(path):
  layout, *labels = PATHS[path]
  wanted = Labels(*labels, speech='yes')
  assert read_labels(Path(path)) == wanted
  assert read_labels(Path(path), layout) == wanted
  others = {'mead', 'voxceleb', 'hdtf'} - {layout}
  assert all(read_labels(Path(path), other) is None for other in others)
  assert read_labels(Path(path), 'plain') == Labels(Path(path).stem)


@pytest.mark.parametrize('path', PLAIN)
def test_other_paths_are_plain(path):
  assert read_labels(Path(path)) == Labels(Path(path).stem)


@pytest.mark.parametrize('emotion', EMOTIONS)
def test_every_emotion_of_mead(emotion):
  path = Path(f'M005/video/front/{emotion}/level_2/012.mp4')
  assert read_labels(path).emotion == emotion


@pytest.mark.parametrize(
  ('video', 'sound'),
  [
    (
      'M003/video/front/angry/level_3/001.mp4',
      'M003/audio/angry/level_3/001.m4a',
    ),
    (
      'dev/mp4/id00012/21Uxsk56VDQ/00001.mp4',
      'dev/aac/id00012/21Uxsk56VDQ/00001.m4a',
    ),
  ],
)
def test_sound_that_lies_apart(tmp_path, video, sound):
  assert read_labels(tmp_path / video).sound is None
  (tmp_path / sound).parent.mkdir(parents=True)
  (tmp_path / sound).touch()
  assert read_labels(tmp_path / video).sound == tmp_path / sound
