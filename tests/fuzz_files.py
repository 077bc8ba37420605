"""Bad files for `tests/fuzz.py`: good ones of every kind, then damaged."""

from collections.abc import Iterator
import io
from pathlib import Path
import struct
import zlib

import numpy as np
from PIL import Image

from takin_jax.data import media
from tests.data.media_files import tone, write_sound, write_video

PICTURES = ('jpg', 'png', 'webp', 'avif', 'tif', 'bmp', 'gif', 'jp2', 'ppm')
SOUNDS = {
  'wav': 'pcm_s16le',
  'flac': 'flac',
  'mp3': 'libmp3lame',
  'aac': 'aac',
  'opus': 'libopus',
  'm4a': 'aac',
  'mka': 'libopus',
  'aiff': 'pcm_s16be',
  'au': 'pcm_s16be',
  'ts': 'aac',
}
VIDEOS = ('mp4', 'mov', 'mkv', 'webm', 'gif', 'ts', 'avi')


def pictures(folder: Path) -> Iterator[Path]:
  """Damaged pictures, and heads that lie about their size."""
  rng = np.random.default_rng(0)
  small = rng.integers(0, 256, (6, 8, 3), np.uint8)
  whole = Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC)
  for ending in PICTURES:
    good = folder / f'good.{ending}'
    whole.save(good)
    yield from _damaged(good)
  for k, (width, height, bits, kind) in enumerate(
    [(30_000, 30_000, 8, 2), (65_000, 16_000, 1, 0), (2**31 - 1,) * 2 + (8, 2)]
    + [(20_000, 20_000, 8, 2), (11_500, 11_500, 16, 6), (1, 5000, 8, 2)]
    + [(20_000, 2, 8, 2), (1, 1, 8, 0), (0, 0, 8, 0), (100, 100, 8, 7)]
  ):
    yield _written(folder / f'lie{k}.png', png(width, height, bits, kind))
  for name, data in {
    'empty.jpg': b'',
    'text.jpg': b'hello\n' * 100,
    'drawing.svg': b'<svg xmlns="http://www.w3.org/2000/svg" width="9"/>',
    'lie.bmp': _bmp(30_000, 30_000),
    'lie.ppm': b'P6 100000 100000 255\n',
    'lie2.ppm': b'P6 32000 3200 255\nabc',
    'lie.hdr': b'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 100000 +X 10000\n',
    'brand.heic': b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(200),
  }.items():  # fmt: skip
    yield _written(folder / name, data)


def png(width: int, height: int, bits: int, kind: int) -> bytes:
  """A PNG whose data is a few zeros, whatever its head says."""

  def chunk(name: bytes, data: bytes) -> bytes:
    crc = struct.pack('>I', zlib.crc32(name + data))
    return struct.pack('>I', len(data)) + name + data + crc

  head = struct.pack('>IIBBBBB', width, height, bits, kind, 0, 0, 0)
  data = zlib.compress(bytes(1000))
  parts = chunk(b'IHDR', head) + chunk(b'IDAT', data) + chunk(b'IEND', b'')
  return b'\x89PNG\r\n\x1a\n' + parts


def _bmp(width: int, height: int) -> bytes:
  head = struct.pack('<IHHI', 54, 0, 0, 54)
  form = struct.pack('<IiiHH', 40, width, height, 1, 24)
  return b'BM' + head + form + bytes(24)


def sounds(folder: Path) -> Iterator[Path]:
  """Damaged sounds, and playlists that bear their names."""
  for ending, codec in SOUNDS.items():
    good = folder / f'good.{ending}'
    write_sound(good, tone(0.5, 16_000), 16_000, codec)
    yield from _damaged(good)
  secret = folder / 'good.ts'
  playlist = f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n'
  for name, text in {
    'a.m3u8': playlist,
    'a.wav': playlist,
    'b.mp3': playlist.replace(str(secret), 'http://127.0.0.1:9/x.ts'),
    'c.wav': f"ffconcat version 1.0\nfile '{secret}'\n",
    'd.mp4': 'ffconcat version 1.0\nfile good.ts\n',
    'e.sdp': 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 9 RTP 0\n',
    'f.wav': '',
  }.items():
    yield _written(folder / name, text.encode())


def videos(folder: Path) -> Iterator[Path]:
  """Damaged videos with sound."""
  rng = np.random.default_rng(0)
  images = list(rng.integers(0, 256, (12, 48, 64, 3), np.uint8))
  for ending in VIDEOS:
    good = folder / f'good.{ending}'
    if ending in ('ts', 'avi'):
      write_video(good, images, codec='mpeg4' if ending == 'avi' else 'libx264')
    else:
      with media.VideoWriter(good) as video:
        for image in images:
          video.write(image)
          video.write_audio(tone(0.04))
    yield from _damaged(good)


def wavs() -> Iterator[tuple[str, bytes]]:
  """Streams for the standard input, by name."""
  data = (tone(0.3) * 32767).astype('<i2').tobytes()
  for rate in (0, 1, 7, 999, 8_000, 44_100, 192_000, 10**7, 2**31, 2**32 - 1):
    for channels in (0, 1, 2, 8, 64, 65_535):
      yield f'{rate} Hz, {channels} channels', _wav(data, channels, rate)
  for bits in (0, 1, 7, 8, 12, 16, 24, 32, 64, 65_535):
    for code in (1, 3, 85, 65_534):
      yield f'{bits} bit, code {code}', _wav(data, 1, 16_000, bits, code)
  for size in (0, 1, 10**8, 2**32 - 1):
    yield f'size {size}', _wav(data, size=size)
  whole = _wav(data)
  for cut in (0, 1, 2, 3, 4, 8, 12, 20, 36, 43, 44, 45, 47, 100):
    yield f'cut at {cut}', whole[:cut]


def _wav(data, channels=1, rate=16_000, bits=16, code=1, size=None) -> bytes:
  block = channels * bits // 8
  form = struct.pack(
    '<HHIIHH',
    code,
    channels,
    rate,
    rate * block % 2**32,
    block % 2**16,
    bits,
  )
  size = len(data) if size is None else size
  return (
    b'RIFF\x24\0\0\0WAVEfmt \x10\0\0\0' + form
    + b'data' + struct.pack('<I', size) + data
  )  # fmt: skip


def _damaged(good: Path) -> Iterator[Path]:
  """The file itself, cut, with noise, with zeros, and under other names."""
  data = good.read_bytes()
  yield good
  for share in (0.02, 0.1, 0.3, 0.5, 0.8, 0.97):
    cut = good.with_stem(f'cut{int(100 * share)}')
    yield _written(cut, data[: int(share * len(data))])
  for seed in range(5):
    rng = np.random.default_rng(seed)
    noisy = bytearray(data)
    first = 0 if seed % 2 else len(data) // 8
    for at in rng.integers(
      first, len(data), 1 + len(data) // (50 + 200 * seed)
    ):
      noisy[at] = rng.integers(256)
    yield _written(good.with_stem(f'noise{seed}'), bytes(noisy))
  middle = len(data) // 2
  zeros = data[: middle // 2] + bytes(middle) + data[middle // 2 + middle :]
  yield _written(good.with_stem('zeros'), zeros)
  yield _written(good.with_stem('twice'), data + data)
  yield _written(good.with_suffix('.bin'), data)


def _written(path: Path, data: bytes) -> Path:
  with io.FileIO(path, 'w') as file:
    file.write(data)
  return path
