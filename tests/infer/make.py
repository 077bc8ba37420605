"""Small media files."""

from fractions import Fraction

import av
import numpy as np

from takin_jax.data import media

NOISE = np.random.default_rng(0).integers(0, 256, (96, 80, 3), np.uint8)
VOICE = np.float32(0.3 * np.sin(np.arange(24_000) / 16_000 * 2e3))  # 1.5 s


def write_audio(path, samples, rate, codec='pcm_s16le', layout='mono'):
  """Writes [channels, S] float sound."""
  with av.open(str(path), 'w') as container:
    stream = container.add_stream(codec, rate=rate, layout=layout)
    frame = av.AudioFrame.from_ndarray(
      np.float32(samples), format='fltp', layout=layout
    )
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    resampler = av.AudioResampler(stream.format, layout, rate)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
      container.mux(stream.encode(part))
    container.mux(stream.encode(None))
  return path


def write_video(path, frames=12, sound=True):
  with media.VideoWriter(path, rate=16_000 if sound else None) as writer:
    for i in range(frames):
      writer.write(np.roll(NOISE, i, 1))
    if sound:
      writer.write_audio(VOICE[: frames * 640])
  return path


def contents(path):
  """Frames, their shape, and seconds of sound of a video file."""
  frames = list(media.read_frames(path))
  return len(frames), frames[0].shape, len(media.read_audio(path)) / 16_000
