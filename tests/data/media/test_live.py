import io
import os
import struct
import threading
import wave

import av
import numpy as np
import pytest

from takin_jax.data import media
from tests.data.media_files import write_sound

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
  with pytest.raises(media.MediaError, match='missing is not a folder'):
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


def wav(data: bytes, code=1, channels=1, rate=16_000, bits=16, size=None, **kw):
  """A WAV; `extensible` wraps the code, `before` is put before the data."""
  block = channels * bits // 8
  numbers = struct.pack(
    '<HHIIHH',
    0xFFFE if kw.get('extensible') else code,
    channels,
    rate,
    rate * block % 2**32,
    kw.get('block', block),
    bits,
  )
  if kw.get('extensible'):
    numbers += struct.pack('<HHIH', 22, bits, 0, code) + bytes(14)
  size = len(data) if size is None else size
  return (
    b'RIFF' + struct.pack('<I', kw.get('riff', 36 + len(data))) + b'WAVE'
    + kw.get('before', b'')
    + b'fmt ' + struct.pack('<I', len(numbers)) + numbers
    + b'data' + struct.pack('<I', size) + data
  )  # fmt: skip


@pytest.mark.parametrize(
  'head',
  [
    {'size': 0},
    {'size': 2**32 - 1, 'riff': 2**32 - 1},
    {'size': 10**8},
    {'block': 0},
    {'extensible': True},
    {'before': b'LIST' + struct.pack('<I', 3) + b'abc\0'},
  ],
)
def test_wav_heads(head):
  np.testing.assert_allclose(heard(wav(pcm(VOICE), **head)), VOICE, atol=0.01)


@pytest.mark.parametrize('channels', [1, 2, 8, 64])
@pytest.mark.parametrize('rate', [8_000, 44_100, 192_000])
@pytest.mark.parametrize('extensible', [False, True])
def test_wav_of_any_rate_and_channels(channels, rate, extensible):
  voice = 0.3 * np.sin(np.arange(rate) / rate * 2e3)
  sound = np.zeros((rate, channels))
  sound[:, channels // 2] = voice
  data = wav(
    pcm(sound.reshape(-1)),
    channels=channels,
    rate=rate,
    extensible=extensible,
  )
  got = heard(data)
  assert abs(len(got) - 16_000) < 100
  assert got[4000:12_000].std() == pytest.approx(VOICE.std(), rel=0.05)


@pytest.mark.parametrize(
  ('code', 'bits', 'data'),
  [
    (1, 8, np.uint8(np.round(VOICE * 127 + 128)).tobytes()),
    (1, 24, np.int32(VOICE * 2**23).view('u1').reshape(-1, 4)[:, :3].tobytes()),
    (1, 32, np.int32(VOICE * 2.0**31).tobytes()),
    (3, 32, VOICE.tobytes()),
    (3, 64, VOICE.astype('<f8').tobytes()),
  ],
)
def test_wav_of_any_depth(code, bits, data):
  got = heard(wav(data, code=code, bits=bits))
  np.testing.assert_allclose(got, VOICE, atol=0.01)


def test_inverted_stereo_is_heard():
  data = pcm(np.stack([VOICE, -VOICE], -1).reshape(-1))
  got = heard(wav(data, channels=2))
  assert got.std() == pytest.approx(VOICE.std(), rel=0.05)


@pytest.mark.parametrize(
  ('data', 'why'),
  [
    (wav(b'', rate=0), '0 samples a second'),
    (wav(b'', rate=1), '1 samples a second'),
    (wav(b'', rate=2**32 - 1), 'samples a second'),
    (wav(b'', channels=0), '0 channels'),
    (wav(b'', channels=65), '65 channels'),
    (wav(b'', bits=7), 'coding 1 with 7 bit'),
    (wav(b'', code=85), 'coding 85'),
    (b'RIFF', 'cut off'),
    (b'RIFFaaaaWAVE', 'no sound'),
    (b'RIFFaaaaAVI LIST', 'no WAV'),
    (b'RIFFaaaaWAVELIST\xff\xff\xff\x7fINFO', 'no sound'),
    (b'RIFFaaaaWAVEdata\0\0\0\0', 'does not say'),
  ],
)
def test_wav_that_is_none(data, why):
  with pytest.raises(media.MediaError, match=why) as error:
    heard(data)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('ending', 'codec', 'name'),
  [
    ('mp3', 'libmp3lame', 'MP3'),
    ('aac', 'aac', 'AAC'),
    ('flac', 'flac', 'FLAC'),
    ('opus', 'libopus', 'Ogg'),
    ('m4a', 'aac', 'MP4'),
    ('mka', 'aac', 'Matroska'),
    ('ts', 'aac', 'MPEG-TS'),
    ('aiff', 'pcm_s16be', 'AIFF'),
  ],
)
def test_compressed_sound_is_recognised(tmp_path, ending, codec, name):
  path = tmp_path / f'a.{ending}'
  data = write_sound(path, VOICE, 16_000, codec).read_bytes()
  with pytest.raises(media.MediaError, match=f'is {name}, not raw'):
    heard(data)
  if ending == 'mp3':  # without the tag before it
    with pytest.raises(media.MediaError, match='is MP3, not raw'):
      heard(data[data.index(b'\xff\xf3') :])


def test_noise_is_raw_sound():
  rng = np.random.default_rng(0)
  for _ in range(200):
    data = b'\xff' + rng.integers(0, 256, 3199, np.uint8).tobytes()
    assert len(heard(data)) == 1600


@pytest.mark.parametrize('name', ['x.mp4', 'x.ts', 'x.rgb'])
def test_nothing_is_emptied_before_there_is_a_picture(tmp_path, name):
  path = tmp_path / name
  path.write_bytes(b'old')
  with media.open_live(path, 16_000):
    pass
  with pytest.raises(KeyError), media.open_live(path, 16_000) as writer:
    writer.write_audio(VOICE)
    raise KeyError
  assert path.read_bytes() == b'old'
  with media.open_live(path, 16_000) as writer:
    write(writer, 2)
  assert not path.read_bytes().startswith(b'old')


@pytest.mark.parametrize('seconds', [3, 40])
@pytest.mark.parametrize('name', ['x.mp4', 'x.ts'])
def test_every_frame_arrives_in_time(tmp_path, name, seconds):
  path, early = tmp_path / name, tmp_path / f'early-{name}'
  frames = 25 * seconds
  sound = np.tile(VOICE, seconds)
  sound[:16_000] = 0
  with media.open_live(path, 16_000) as writer:
    for i in range(frames):
      writer.write(np.roll(PICTURE, i, 1))
      writer.write_audio(sound[640 * i : 640 * (i + 1)])
      if i == frames // 2:
        early.write_bytes(path.read_bytes())
  with av.open(str(path)) as container:
    times = np.array([frame.time for frame in container.decode(video=0)])
  assert len(times) == frames
  np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-4)
  with av.open(str(early)) as container:  # it plays while it grows
    seen = sum(1 for _ in container.decode(video=0))
  assert frames // 2 - 10 <= seen <= frames // 2 + 1
  onset = np.argmax(np.abs(media.read_audio(path)) > 0.1) / 16_000
  assert onset == pytest.approx(1.0, abs=0.01)


def test_live_into_a_pipe(tmp_path):
  pipe = tmp_path / 'x.rgb'
  os.mkfifo(pipe)
  got = []
  reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
  reader.start()
  with media.open_live(pipe, 16_000) as writer:
    write(writer, 2)
  reader.join(10)
  assert len(got[0]) == 2 * PICTURE.size and pipe.is_fifo()


def test_a_name_that_begins_with_a_dash_is_a_file(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with media.open_live('-foo.rgb', 16_000) as writer:
    write(writer, 1)
  assert (tmp_path / '-foo.rgb').stat().st_size == PICTURE.size


def test_the_mp3_case(test_data):
  with pytest.raises(media.MediaError, match='is MP3, not raw'):
    heard((test_data / 'cases' / 'a_mp3.mp3').read_bytes())
