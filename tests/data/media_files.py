"""Makes small media files for the tests, and measures their sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from takin_jax.data import media


def tone(seconds: float = 1.0, rate: int = 16_000, hz: float = 440.0):
  """[S] float32 sine of amplitude 0.5."""
  t = np.arange(int(seconds * rate)) / rate
  return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def write_sound(
  path: Path,
  samples: np.ndarray,
  rate: int,
  codec: str = 'pcm_s16le',
  layout: str = 'mono',
) -> Path:
  """Encodes [C, S] or [S] float sound."""
  samples = np.ascontiguousarray(np.atleast_2d(samples), np.float32)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream(codec, rate, layout=layout)
    frame = av.AudioFrame.from_ndarray(samples, 'fltp', layout)
    frame.sample_rate = rate
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  return path


def write_video(
  path: Path, images, fps: float = 25, codec: str = 'libx264'
) -> Path:
  """Encodes [H, W, 3] uint8 pictures nearly without loss, without sound."""
  images = list(images)
  options = {'crf': '5', 'g': '10'} if codec == 'libx264' else {}
  with av.open(str(path), 'w', options={'movflags': 'faststart'}) as container:
    stream = container.add_stream(
      codec, Fraction(fps).limit_denominator(1001), options=options
    )
    stream.height, stream.width = images[0].shape[:2]
    stream.pix_fmt = 'yuv420p'
    for image in images:
      frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'rgb24')
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  return path


def counter(count: int, height: int = 64, width: int = 96):
  """[count] grey pictures whose brightness tells their number (x 2)."""
  return [np.full((height, width, 3), 2 * k, np.uint8) for k in range(count)]


def noise(count: int, size: int = 64):
  """[count] pictures that do not compress."""
  rng = np.random.default_rng(0)
  return list(rng.integers(0, 255, (count, size, size, 3), np.uint8))


def gain(path: Path, hz: float = 440.0, seconds: float = 1.0) -> float:
  """Amplitude of a tone in the sound of a file; checks its length and kind."""
  samples = media.read_audio(path)
  assert samples.dtype == np.float32 and samples.ndim == 1
  assert len(samples) == pytest.approx(16_000 * seconds, abs=400)
  middle = samples[3200:12_800]
  t = np.arange(len(middle)) / 16_000
  return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * hz * t)))
