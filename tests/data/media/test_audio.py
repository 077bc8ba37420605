"""Sound with several channels, and sound that changes midway."""

import numpy as np
import pytest

from takin_jax.data import media
from tests.data.media_files import gain, tone, write_sound, write_tracks

NONE = np.zeros(48_000, np.float32)
VOICE = tone(rate=48_000)
NOISE = np.random.default_rng(0).normal(0, 0.1, (2, 48_000)).astype('f')


def written(path, channels, layout='stereo', codec='pcm_s16le'):
  return write_sound(path, np.stack(channels), 48_000, codec, layout)


@pytest.mark.parametrize(
  ('channels', 'layout'),
  [
    ((VOICE, VOICE), 'stereo'),
    ((VOICE, NONE), 'stereo'),
    ((NONE, VOICE), 'stereo'),
    ((VOICE, -VOICE), 'stereo'),
    ((NONE, NONE, VOICE, NONE, NONE, NONE), '5.1'),
    ((VOICE,) * 6, '5.1'),
    ((NONE, NONE, VOICE, *[NONE] * 5), '7.1'),
  ],
)
def test_the_voice_keeps_its_level(tmp_path, channels, layout):
  path = written(tmp_path / 'a.wav', channels, layout)
  assert gain(path) == pytest.approx(0.5, abs=0.01)


def test_ordinary_stereo_is_the_mean(tmp_path):
  path = written(tmp_path / 'a.wav', NOISE)
  mono = written(tmp_path / 'm.wav', NOISE.mean(0)[None], 'mono')
  np.testing.assert_allclose(
    media.read_audio(path), media.read_audio(mono), atol=1e-4
  )


@pytest.mark.parametrize(
  ('count', 'layout'), [(1, 'mono'), (2, 'stereo'), (6, '5.1'), (8, '7.1')]
)
@pytest.mark.parametrize('ending', ['mp4', 'webm'])
def test_channels_go_through(tmp_path, count, layout, ending):
  channels = [NONE] * count
  channels[min(count - 1, 2)] = VOICE
  path = written(tmp_path / 'a.wav', channels, layout)
  assert media.channel_count(path) == count
  out = tmp_path / f'v.{ending}'
  with media.VideoWriter(out, rate=48_000, channels=count) as video:
    for block in media.iter_channels(path, 48_000, 1920):
      assert block.shape == (1920, count)
      video.write(np.zeros((64, 64, 3), np.uint8))
      video.write_audio(block)
  assert media.channel_count(out) == count
  sound = np.concatenate(list(media.iter_channels(out, 48_000, 48_000)))
  level = sound[10_000:40_000].std(0) / VOICE.std()
  wanted = np.zeros(count)
  wanted[min(count - 1, 2)] = 1
  np.testing.assert_allclose(level, wanted, atol=0.05)


def test_many_channels_are_mixed(tmp_path):
  path = tmp_path / 'a.wav'
  data = np.zeros((16_000, 64), '<i2')
  data[:, 9] = 16384 * np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440)
  path.write_bytes(wav_head(64, 16_000, data.nbytes) + data.tobytes())
  assert media.channel_count(path) == 1
  assert gain(path) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize('ending', ['mp3', 'aac'])
def test_rate_and_channels_that_change_midway(tmp_path, ending):
  codec = {'mp3': 'libmp3lame', 'aac': 'aac'}[ending]
  parts = b''
  for rate, layout in ((44_100, 'stereo'), (22_050, 'mono'), (16_000, 'mono')):
    sound = np.stack([tone(rate=rate)] * (2 if layout == 'stereo' else 1))
    part = write_sound(tmp_path / f'p.{ending}', sound, rate, codec, layout)
    parts += part.read_bytes()
  path = tmp_path / f'a.{ending}'
  path.write_bytes(parts)
  sound = media.read_audio(path)
  assert len(sound) == pytest.approx(48_000, rel=0.1)
  for start in (4_000, 20_000, 38_000):
    part = sound[start : start + 6400]
    assert part.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    pitch = np.abs(np.fft.rfft(part)).argmax() * 16_000 / 6400
    assert pitch == pytest.approx(440, abs=5)


def wav_head(channels: int, rate: int, size: int) -> bytes:
  block = 2 * channels
  numbers = np.array([1, channels], '<u2').tobytes()
  numbers += np.array([rate, rate * block], '<u4').tobytes()
  numbers += np.array([block, 16], '<u2').tobytes()
  chunk = b'fmt ' + np.uint32(16).tobytes() + numbers
  body = b'WAVE' + chunk + b'data' + np.uint32(size).tobytes()
  return b'RIFF' + np.uint32(len(body) + size).tobytes() + body


@pytest.mark.parametrize('rate', [1, 7, 999, 2_000_000])
def test_rates_that_no_recording_has(tmp_path, rate):
  path = tmp_path / 'a.wav'
  path.write_bytes(wav_head(1, rate, 3200) + bytes(3200))
  with pytest.raises(media.MediaError, match=f'claims {rate} samples'):
    media.read_audio(path)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e30])
def test_numbers_that_are_none(tmp_path, value):
  sound = tone()
  sound[4000:5000] = value
  path = write_sound(tmp_path / 'a.wav', sound, 16_000, 'pcm_f32le')
  heard = media.read_audio(path)
  assert np.isfinite(heard).all() and np.abs(heard).max() <= 1.5


@pytest.mark.parametrize(
  ('name', 'text'),
  [
    ('a.m3u8', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n'),
    ('a.wav', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n'),
    ('b.wav', "ffconcat version 1.0\nfile '{}'\n"),
    ('c.mp4', 'ffconcat version 1.0\nfile other.mkv\n'),
    ('d.sdp', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 9 RTP 0\n'),
  ],
)
def test_playlists_are_no_sound(tmp_path, name, text):
  other = write_tracks(tmp_path / 'other.mkv', sounds=[(0.0, tone())])
  (tmp_path / name).write_text(text.format(other))
  with pytest.raises(media.MediaError, match='cannot be read'):
    media.read_audio(tmp_path / name)


def test_names_that_look_like_addresses(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for name in ('12:30.wav', 'a%03d.wav', 'pipe:0.wav'):
    write_sound(tmp_path / 'a.wav', tone(), 16_000).rename(name)
    assert gain(name) == pytest.approx(0.5, abs=0.01)


def test_the_inverted_case(test_data):
  sound = media.read_audio(test_data / 'cases' / 'a_inverted.wav')
  assert sound.std() > 0.1
  assert media.channel_count(test_data / 'cases' / 'a_inverted.wav') == 2
