"""infer.py from the outside: what it makes of good and of unusual input."""

import av
import cv2
import numpy as np
import pytest

from takin_jax.data import media
from takin_jax.data.faces import CropBox
from takin_jax.infer.inputs import crop
from tests.infer.make import NOISE, VOICE, contents, write_audio, write_video


def test_the_default(run):
  code, out, err = run()
  assert code == 0, err
  assert out.startswith('talking.mp4: 148 frames, 5.9 s at 64x64')
  frames, shape, seconds = contents('talking.mp4')
  assert frames == 148
  assert shape == (64, 64, 3)
  assert abs(seconds - 5.91) < 0.1
  with av.open('talking.mp4') as video:
    assert video.streams.video[0].codec_context.name == 'h264'
    assert video.streams.audio[0].codec_context.name == 'aac'
    assert video.streams.video[0].average_rate == 25


def test_all_speech_options(run, portrait, speech):
  code, out, err = run(
    *('-s', portrait, '-a', speech, '-o', 'x.mp4', '--emotion', 'happy:1.5'),
    *('--seed', 3, '--pose-scale', 0.5, '--motion-scale', 1.2),
    *('--crop', '10,10,50', '--verbose', '--device', 'cpu'),
  )
  assert code == 0, err
  assert 'ready after' in err
  assert contents('x.mp4')[0] == 38


@pytest.mark.parametrize('mode', ['--relative', '--absolute'])
@pytest.mark.parametrize('sound', [True, False])
def test_a_driving_video(run, portrait, tmp_path, mode, sound):
  driving = write_video(tmp_path / 'driving.mp4', sound=sound)
  code, _, err = run(
    *('-s', portrait, '-d', driving, '-o', 'x.mp4', mode),
    *('--crop', 'none', '--driving-crop', 'none'),
  )
  assert code == 0, err
  with av.open('x.mp4') as video:
    assert len(video.streams.audio) == sound
  assert len(list(media.read_frames('x.mp4'))) == 12


def test_an_existing_file_is_replaced(run, portrait, speech, tmp_path):
  (tmp_path / 'work' / 'x.mp4').write_text('old')
  code, _, err = run(
    '-s', portrait, '-a', speech, '-o', 'x.mp4', '--crop', 'none'
  )
  assert code == 0, err
  assert contents('x.mp4')[0] == 38


def test_timeline_and_picture_on_the_command_line(
  run, portrait, speech, tmp_path, monkeypatch
):
  box = CropBox(0, 8, 80)
  monkeypatch.setattr(crop, 'find_faces', lambda image: [box])
  given = ('-s', portrait, '-a', speech, '-o', 'x.mp4')
  code, _, err = run(*given, '--emotion', '0:neutral,0.6:happy:2')
  assert code == 0, err
  assert contents(tmp_path / 'work' / 'x.mp4')[0] == 38
  code, _, err = run(*given, '--emotion-from', portrait, '--emotion-scale', 1.5)
  assert code == 0, err


# Unusual but good input.


@pytest.mark.parametrize(
  ('name', 'rate', 'codec', 'layout'),
  [
    ('8khz.wav', 8_000, 'pcm_s16le', 'mono'),
    ('24bit.wav', 48_000, 'pcm_s24le', 'stereo'),
    ('surround.wav', 44_100, 'pcm_s16le', '5.1'),
    ('music.mp3', 22_050, 'libmp3lame', 'stereo'),
  ],
)
def test_any_sound(run, portrait, tmp_path, name, rate, codec, layout):
  channels = av.AudioLayout(layout).nb_channels
  sound = np.tile(VOICE[: rate // 2], (channels, 1))
  seconds = sound.shape[1] / rate
  path = write_audio(tmp_path / name, sound, rate, codec, layout)
  code, _, err = run(
    '-s', portrait, '-a', path, '--crop', 'none', '-o', 'x.mp4'
  )
  assert code == 0, err
  assert abs(contents('x.mp4')[0] - 25 * seconds) < 3.5  # MP3 adds a little


def test_silence(run, portrait, tmp_path):
  path = write_audio(tmp_path / 'silence.wav', np.zeros((1, 16_000)), 16_000)
  code, _, err = run(
    '-s', portrait, '-a', path, '--crop', 'none', '-o', 'x.mp4'
  )
  assert code == 0, err
  assert contents('x.mp4')[0] == 25


def test_a_truncated_mp3_is_used_up_to_its_end(run, portrait, tmp_path):
  path = tmp_path / 'speech.mp3'
  write_audio(path, np.tile(VOICE, (1, 2)), 16_000, 'libmp3lame')
  path.write_bytes(path.read_bytes()[:-2001])
  code, _, err = run(
    '-s', portrait, '-a', path, '--crop', 'none', '-o', 'x.mp4'
  )
  assert code == 0, err
  assert 30 < contents('x.mp4')[0] < 75


def test_a_video_with_a_broken_tail_is_used_up_to_it(run, portrait, tmp_path):
  path = write_video(tmp_path / 'driving.mp4', frames=50)
  data = path.read_bytes()
  path.write_bytes(data[: len(data) * 2 // 3])
  code, _, err = run(
    *('-s', portrait, '-d', path, '--crop', 'none'),
    *('--driving-crop', 'none', '-o', 'x.mp4'),
  )
  assert code == 0, err
  assert 5 < len(list(media.read_frames('x.mp4'))) <= 50


@pytest.mark.parametrize(
  ('name', 'image'),
  [
    ('grey.png', NOISE[..., 0]),
    ('alpha.png', np.dstack([NOISE, NOISE[..., :1]])),
    ('16bit.png', NOISE.astype(np.uint16) * 257),
    ('huge.jpg', np.repeat(np.repeat(NOISE, 60, 0), 60, 1)),
    ('narrow.png', NOISE[:, :7]),
  ],
)
def test_any_picture(run, speech, tmp_path, name, image):
  path = tmp_path / name
  cv2.imwrite(str(path), image)
  code, _, err = run('-s', path, '-a', speech, '--crop', 'none', '-o', 'x.mp4')
  assert code == 0, err
