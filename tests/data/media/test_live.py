import io
import wave

import numpy as np
import pytest

from takin_jax.data import media

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
VOICE = np.float32(0.3 * np.sin(np.arange(16_000) / 16_000 * 2e3))


def write(writer, frames=25):
  for i in range(frames):
    writer.write(np.roll(PICTURE, i, 1))
    writer.write_audio(VOICE[640 * i : 640 * (i + 1)])


@pytest.mark.parametrize('name', ['x.mp4', 'x.ts'])
def test_it_can_be_watched_while_it_is_made(tmp_path, name):
  path = tmp_path / name
  with media.open_live(path, 16_000) as writer:
    write(writer)
    early = tmp_path / ('early-' + name)
    early.write_bytes(path.read_bytes())
    write(writer)
  assert 15 <= len(list(media.read_frames(early))) <= 25
  assert 48 <= len(list(media.read_frames(path))) <= 52
  sound = media.read_audio(path)
  assert abs(len(sound) / 16_000 - 2.0) < 0.15
  assert np.abs(sound).max() > 0.2


def test_raw_pictures(tmp_path):
  with media.open_live(tmp_path / 'x.rgb', 16_000) as writer:
    write(writer, 3)
    assert writer.frames == 3
  pictures = np.fromfile(tmp_path / 'x.rgb', np.uint8).reshape(3, 64, 48, 3)
  np.testing.assert_array_equal(pictures[2], np.roll(PICTURE, 2, 1))


def test_other_endings_and_places_are_refused(tmp_path):
  with pytest.raises(media.MediaError, match=r'x\.avi.*\.ts'):
    media.open_live(tmp_path / 'x.avi', 16_000)
  with pytest.raises(media.MediaError, match='another place'):
    media.open_live(tmp_path / 'missing' / 'x.ts', 16_000)


def pcm(samples: np.ndarray) -> bytes:
  return np.round(samples * 32767).astype('<i2').tobytes()


def heard(data: bytes) -> np.ndarray:
  return np.concatenate(list(media.listen(io.BytesIO(data))))


def test_raw_sound():
  np.testing.assert_allclose(heard(pcm(VOICE)), VOICE, atol=1e-4)
  assert len(heard(pcm(VOICE) + b'\x01')) == len(VOICE)  # half a sample


def test_wav_of_another_rate_and_two_channels():
  at = np.arange(48_000) / 48_000
  left = 0.3 * np.sin(at * 2e3)
  file = io.BytesIO()
  with wave.open(file, 'wb') as out:
    out.setnchannels(2)
    out.setsampwidth(2)
    out.setframerate(48_000)
    out.writeframes(pcm(np.stack([left, left], -1).reshape(-1)))
  got = heard(file.getvalue())
  assert abs(len(got) - 16_000) < 50
  np.testing.assert_allclose(got[500:15_000], VOICE[500:15_000], atol=0.02)


@pytest.mark.parametrize('data', [b'', b'R', b'RIFF1234JUNKJUNK'])
def test_no_sound(data):
  with pytest.raises(media.MediaError, match='standard input'):
    heard(data)


def test_wav_of_another_kind():
  file = io.BytesIO()
  with wave.open(file, 'wb') as out:
    out.setnchannels(1)
    out.setsampwidth(1)
    out.setframerate(8000)
    out.writeframes(bytes(100))
  with pytest.raises(media.MediaError, match='16 bit'):
    heard(file.getvalue())
