"""Bad input to infer.py: one sentence, exit code 2, nothing written."""

import wave

import pytest

from takin_jax.data import media
from tests.infer.make import write_video


@pytest.mark.parametrize('option', ['-s', '-a', '-d'])
def test_missing_file(refused, option):
  assert 'nowhere.xyz is not a file' in refused(option, 'nowhere.xyz')


def test_not_an_image(refused, tmp_path):
  (tmp_path / 'text.jpg').write_text('hello')
  assert 'not an image' in refused('-s', tmp_path / 'text.jpg')


def test_an_image_without_a_face_says_what_to_try(refused, portrait):
  error = refused('-s', portrait)
  assert error.startswith('infer.py: --crop: ')
  assert 'x,y,size' in error


def test_a_driving_video_without_a_face(refused, tmp_path):
  driving = write_video(tmp_path / 'driving.mp4')
  assert '--driving-crop' in refused('-d', driving)


def test_audio_without_samples(refused, tmp_path):
  path = tmp_path / 'empty.wav'
  with wave.open(str(path), 'wb') as file:
    file.setparams((1, 2, 16_000, 0, 'NONE', ''))
  assert 'no audio samples' in refused('-a', path)


def test_video_without_sound_as_audio(refused, tmp_path):
  path = write_video(tmp_path / 'mute.mp4', sound=False)
  assert 'no audio stream' in refused('-a', path)


def test_text_as_audio(refused, tmp_path):
  (tmp_path / 'text.wav').write_text('hello')
  assert 'cannot be read' in refused('-a', tmp_path / 'text.wav')


def test_video_without_frames(refused, speech):
  assert 'no video stream' in refused('-d', speech)


def test_output_folder_does_not_exist(refused, speech):
  assert 'nowhere' in refused('-a', speech, '-o', 'nowhere/x.mp4')


def test_output_folder_is_not_writable(refused, speech):
  error = refused('-a', speech, '-o', '/proc/x.mp4')
  assert '/proc is not' in error


def test_output_is_a_folder(refused, speech, tmp_path):
  assert 'is a folder' in refused('-a', speech, '-o', tmp_path)


def test_unknown_emotion_lists_the_known(refused):
  error = refused('--emotion', 'furious')
  assert 'furious' in error
  assert 'happy, neutral' in error


def test_wrong_emotions_on_the_command_line(refused, portrait):
  assert '0:neutral,2.5:happy' in refused('--emotion', '0:happy,x:happy')
  assert 'not allowed' in refused(
    '--emotion', 'happy', '--emotion-from', portrait
  )
  assert 'nowhere.jpg' in refused('--emotion-from', 'nowhere.jpg')


@pytest.mark.parametrize('crop', ['centre', '1,2', '1,2,x', '1,2,nan'])
def test_crop_that_cannot_be_read(refused, crop):
  assert crop in refused('--crop', crop)


def test_crop_outside_the_picture(refused):
  assert 'not in the picture' in refused('--crop', '9999,0,100')


def test_weights_of_another_config_names_both(refused, tmp_path):
  path = tmp_path / 'other.py'
  path.write_text(
    'from ml_collections import ConfigDict\n'
    'def get_config():\n'
    "  return ConfigDict({'name': 'other', 'model': {'motion': {}}})\n"
  )
  error = refused('--config', path)
  assert "'tiny'" in error
  assert "'other'" in error


def test_missing_weights_and_config(refused):
  assert 'nano' in refused('--weights', 'nowhere')
  assert 'nowhere.py' in refused('--config', 'nowhere.py')


@pytest.mark.parametrize(
  'args',
  [
    ('--steps', '0'),
    ('--steps', '1001'),
    ('--guidance', '-1'),
    ('--pose-scale', 'nan'),
    ('--device', 'abacus'),
    ('--audio', 'a.wav', '--driving', 'b.mp4'),
    ('--nonsense',),
  ],
)
def test_wrong_arguments(refused, args):
  assert refused(*args).startswith('infer.py: ')


def test_help_needs_no_weights(run):
  code, out, _ = run('--help')
  assert code == 0
  assert '--emotion' in out


def test_a_failure_on_the_way_leaves_nothing(
  run, speech, portrait, monkeypatch, tmp_path
):
  def fail(*args):
    raise OSError('the disk is full')

  monkeypatch.setattr(media.VideoWriter, 'write_audio', fail)
  code, _, said = run(
    '-s', portrait, '-a', speech, '--crop', 'none', '-o', 'x.mp4'
  )
  assert code == 2 and 'the disk is full' in said
  assert not list((tmp_path / 'work').iterdir())
