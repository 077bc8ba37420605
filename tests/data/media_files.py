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
    packed = np.ascontiguousarray(samples.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, 'flt', layout)
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


def write_tracks(
  path: Path,
  images=(),
  sounds=(),
  rate: int = 16_000,
  aspect: Fraction = Fraction(1),
  fps: int = 25,
) -> Path:
  """Writes frames and sounds at given times.

  Args:
    path: .mkv, whose time stamps are free.
    images: (seconds, [H, W, 3] uint8) each.
    sounds: (seconds, [S] float32) each, rising.
    rate: of the sounds.
    aspect: width of a pixel over its height.
    fps: nominal.
  """
  tick = Fraction(1, 1000)
  with av.open(str(path), 'w') as container:
    video = audio = None
    if images:
      video = container.add_stream('libx264', fps, options={'bf': '0'})
      video.height, video.width = images[0][1].shape[:2]
      video.pix_fmt, video.codec_context.time_base = 'yuv420p', tick
      video.codec_context.sample_aspect_ratio = aspect
    if sounds:
      audio = container.add_stream('pcm_s16le', rate, layout='mono')
    frames = []
    for at_s, image in images:
      frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'rgb24')
      frames.append((at_s, video, frame))
    for at_s, sound in sounds:
      data = np.ascontiguousarray(sound[None], np.float32)
      frame = av.AudioFrame.from_ndarray(data, 'fltp', 'mono')
      frame.sample_rate = rate
      frames.append((at_s, audio, frame))
    for at_s, stream, frame in sorted(frames, key=lambda x: x[0]):
      frame.pts, frame.time_base = round(at_s / tick), tick
      container.mux(stream.encode(frame))
    for stream in filter(None, (video, audio)):
      container.mux(stream.encode(None))
  return path


def onset_s(sound: np.ndarray, rate: int = 16_000) -> float:
  """When a sound begins, in seconds."""
  return float(np.argmax(np.abs(sound) > 0.1)) / rate


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
