"""Portraits, speech and videos of every kind -> frames and sound."""

import importlib.util
import io
from pathlib import Path

import av
import numpy as np
import pytest
import soxr

from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.infer.pipeline import Pipeline
from tests.infer import make

WHOLE = {'crop': 'none'}
EXAMPLES = Path(__file__).parents[2] / 'examples'


def frames(clip):
  return np.stack(list(clip))


def test_speech_of_every_kind_gives_the_same_frames(pipe, portrait, speech):
  spoken = {**WHOLE, 'seed': 0}  # all peaks of this sound are alike
  want = frames(pipe.speak(portrait, speech, **spoken))
  assert want.shape == (38, 64, 64, 3) and want.dtype == np.uint8
  clip = pipe.speak(
    io.BytesIO(portrait.read_bytes()), io.BytesIO(speech.read_bytes()), **spoken
  )
  assert clip.frame_count == 38
  np.testing.assert_array_equal(frames(clip), want)
  np.testing.assert_array_equal(frames(clip), want)  # as often as wanted
  pcm = np.round(make.VOICE * 32767).astype(np.int16)
  picture = make.NOISE[..., ::-1].copy()  # the file holds BGR
  for given in (pcm, (pcm, 16_000), pcm / np.float32(32768)):
    got = frames(pipe.speak(picture, given, **spoken))
    assert np.abs(got.astype(int) - want).max() <= 2


def test_sound_of_another_rate_lasts_as_long(pipe, portrait):
  sound = soxr.resample(make.VOICE, 16_000, 44_100)
  clip = pipe.speak(portrait, (sound, 44_100), **WHOLE)
  assert clip.frame_count == 38 and clip.sample_rate_hz == 48_000
  assert abs(sum(map(len, clip.sound())) - 1.5 * 48_000) < 10


def test_a_driving_array_equals_the_pictures_in_it(pipe, portrait):
  video = np.stack([np.roll(make.NOISE, i, 1) for i in range(5)])
  clip = pipe.drive(portrait, video, driving_crop='none', **WHOLE)
  assert clip.sample_rate_hz is None and not list(clip.sound())
  got = frames(clip)
  assert got.shape == (5, 64, 64, 3) and (got[0] != got[3]).any()
  video[1:] = video[0]
  still = frames(pipe.drive(portrait, video, driving_crop='none', **WHOLE))
  np.testing.assert_array_equal(still[0], still[4])


def test_a_clip_is_saved_with_its_sound(pipe, portrait, speech, tmp_path):
  seen = []
  clip = pipe.speak(portrait, speech, **WHOLE)
  path = clip.save(tmp_path / 'x.mp4', lambda *made: seen.append(made))
  assert path == tmp_path / 'x.mp4'
  assert seen == [(i, 38) for i in range(39)]
  count, shape, seconds = make.contents(path)
  assert (count, shape) == (38, (64, 64, 3)) and abs(seconds - 1.5) < 0.1
  with av.open(str(path)) as video:
    assert video.streams.audio[0].rate == 48_000


def test_controls_replace_the_weights_own(pipe, portrait, speech):
  def moves(controls):
    this = pipe.session(portrait, controls=controls, **WHOLE)
    return np.concatenate(
      [np.asarray(m.pose_deg) for m, _ in this.motions(make.VOICE)]
    ).std(0)

  assert (moves(None) > 0).all()
  for still in ({'pose_scale': 0.0}, Controls(pose_scale=0.0)):
    np.testing.assert_allclose(moves(still), 0, atol=1e-5)


def test_a_session_follows_what_is_set(pipe, portrait):
  session = pipe.session(portrait, chunk_ms=160, look_ahead_ms=80, **WHOLE)
  assert session.chunks.chunk == 4 and session.chunks.look_ahead == 2
  session.emotion = 'happy'
  np.testing.assert_array_equal(session.emotion, pipe.emotion('happy'))
  made = [*session.feed(make.VOICE), *session.flush()]
  assert len(made) == session.frame_count == 38
  with pytest.raises(InputError, match='^emotion: Unknown emotion'):
    session.emotion = 'furious'


def test_emotions_by_name_and_as_numbers(pipe):
  assert pipe.emotions == ['happy', 'neutral']
  assert pipe.emotion(None) is None and pipe.emotion('') is None
  happy = pipe.emotion('happy')
  np.testing.assert_allclose(pipe.emotion(happy, 0.5), pipe.emotion('happy:.5'))
  assert pipe.emotion(len) is len


@pytest.mark.parametrize(
  ('wrong', 'argument'),
  [
    ({'portrait': 'nowhere.jpg'}, 'portrait'),
    ({'portrait': np.zeros((9, 9), np.uint8)}, 'portrait'),
    ({'portrait': np.zeros((9, 9, 3))}, 'portrait'),
    ({'speech': 'nowhere.wav'}, 'speech'),
    ({'speech': np.zeros((2, 9), np.float32)}, 'speech'),
    ({'speech': np.zeros(0, np.float32)}, 'speech'),
    ({'speech': np.full(9, np.nan, np.float32)}, 'speech'),
    ({'speech': (np.zeros(9, np.float32), 0.5)}, 'speech'),
    ({'crop': (1, 2)}, 'crop'),
    ({'crop': 'auto'}, 'crop'),
    ({'emotion': 'furious'}, 'emotion'),
    ({'emotion': np.zeros(7)}, 'emotion'),
    ({'controls': {'wings': 2}}, 'controls'),
    ({'controls': {'blinks_per_minute': 9}}, 'blinks_per_minute'),
  ],
)
def test_what_is_wrong_is_named_as_an_argument(pipe, wrong, argument):
  right = {'portrait': make.NOISE, 'speech': make.VOICE, 'crop': 'none'}
  with pytest.raises(InputError) as error:
    pipe.speak(**right | wrong)
  assert error.value.argument == argument
  assert str(error.value).startswith(f'{argument}: ')
  assert '--' not in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('wrong', 'argument'),
  [
    ({'chunk_ms': 0}, 'chunk_ms'),
    ({'chunk_ms': 50}, 'chunk_ms'),
    ({'look_ahead_ms': 5040}, 'look_ahead_ms'),
    ({'look_ahead_ms': -40}, 'look_ahead_ms'),
  ],
)
def test_chunks_are_whole_frames(pipe, wrong, argument):
  with pytest.raises(InputError, match=f'^{argument}: .* not a multiple of 40'):
    pipe.session(make.NOISE, crop='none', **wrong)


def test_a_driving_video_without_a_face(pipe):
  video = np.stack([make.NOISE] * 3)
  with pytest.raises(InputError, match='^driving_crop: .*no frame shows'):
    pipe.drive(make.NOISE, video, **WHOLE)
  with pytest.raises(InputError, match='^video: .*not a file'):
    pipe.drive(make.NOISE, 'nowhere.mp4', **WHOLE)


def test_weights_that_cannot_speak_say_so_at_once(pipe):
  params = {k: v for k, v in pipe.params.items() if k != 'denoiser'}
  mute = Pipeline(pipe.config, params, pipe.engine.device)
  with pytest.raises(InputError, match='denoiser'):
    mute.speak('nowhere.jpg', 'nowhere.wav')


def test_the_example_script(pipe, portrait, speech, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  spec = importlib.util.spec_from_file_location('talk', EXAMPLES / 'talk.py')
  talk = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(talk)
  assert talk.main(pipe, portrait, speech, crop='none') == 50
  assert make.contents('talking.mp4')[0] == 38
  assert make.contents('smiling.mp4')[0] == 13
