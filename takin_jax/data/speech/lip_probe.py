"""What the lips should do, heard from the sound: a small linear probe.

In: speech. Out: the opening of the lips, up to its size, 50 times a second.
Ridge regression on the log energy of 8 mel bands and their 11 neighbours in
time (0.4 s): 88 weights in `takin_jax/assets/lip_probe.npy`, made by

  python -m takin_jax.data.speech.lip_probe RECORDS --out lip_probe.npy

from the speech of the training split. Rougher than any speech encoder, but
needs no weights to speak of and no jax.
"""

import argparse
from collections.abc import Sequence
import functools
from pathlib import Path
import sys

import numpy as np

from takin_jax.cli.errors import command
from takin_jax.data import records
from takin_jax.data.faces import geometry
from takin_jax.errors import InputError
from takin_jax.face import FRAME_RATE_HZ, SAMPLE_RATE_HZ

RATE_HZ = 2 * FRAME_RATE_HZ

_FILE = Path(__file__).parents[2] / 'assets' / 'lip_probe.npy'
_BANDS = 8
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7600.0
_WINDOW = 512  # samples
_HOP = SAMPLE_RATE_HZ // RATE_HZ
_NEIGHBOURS = 5  # on either side
_STEP = 2  # from one to the next
_TREND = RATE_HZ + 1  # 1 s: how open the mouth is on average says nothing
_RIDGE = 0.1  # of the mean variance
_FLOOR = 1e-3  # of the mean energy: what is quieter counts as silence


def expected_lips(audio: np.ndarray) -> np.ndarray:
  """Opening of the lips that goes with a sound.

  Args:
    audio: [S] float in [-1, 1], 16 kHz.

  Returns:
    [N] at RATE_HZ, without trend; constant for silence.
  """
  return without_trend(_features(audio) @ _weights())


def seen_lips(landmarks: np.ndarray, found: np.ndarray) -> np.ndarray:
  """Opening of the lips in the pictures, to compare.

  Args:
    landmarks: [T, 478, 3] at 25 fps.
    found: bool [T], whether the frame shows a face; at least one does.

  Returns:
    [2 T] at RATE_HZ, without trend.
  """
  opening = geometry.lip_opening(landmarks)
  frames = np.arange(len(opening))
  at = np.arange(2 * len(opening)) / 2
  return without_trend(np.interp(at, frames[found], opening[found]))


def without_trend(x: np.ndarray) -> np.ndarray:
  """[N] less its mean over a second around."""
  padded = np.pad(x, _TREND // 2, 'edge')
  return x - np.convolve(padded, np.full(_TREND, 1 / _TREND), 'valid')


def fit(clips: Sequence[records.ClipHead]) -> np.ndarray:
  """[F] weights that hear the lips of these clips, each counting alike."""
  size = _BANDS * (2 * _NEIGHBOURS + 1)
  left, right = np.zeros((size, size)), np.zeros(size)
  for clip in clips:
    lips = seen_lips(clip.landmarks, clip.found)
    heard = _features(clip.audio / 32768)
    length = min(len(lips), len(heard))
    lips, heard = lips[:length] / lips.std(), heard[:length]
    left += heard.T @ heard
    right += heard.T @ lips
  left += _RIDGE * np.trace(left) / size * np.eye(size)
  return np.linalg.solve(left, right).astype(np.float32)


def _features(audio: np.ndarray) -> np.ndarray:
  """[S] -> [N, F] log energies around every moment, less their mean."""
  padded = np.pad(audio.astype(np.float64), _WINDOW // 2)
  windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
  spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) ** 2
  energy = spectrum @ _filters().T
  levels = np.log(energy + _FLOOR * energy.mean() + 1e-9)
  levels -= levels.mean(0)
  reach = _NEIGHBOURS * _STEP
  padded = np.pad(levels, ((reach, reach), (0, 0)), 'edge')
  starts = range(0, 2 * reach + 1, _STEP)
  return np.concatenate([padded[i : i + len(levels)] for i in starts], -1)


@functools.lru_cache(maxsize=1)
def _filters() -> np.ndarray:
  """[_BANDS, _WINDOW // 2 + 1] triangles, evenly spaced in mel."""
  low, high = (np.log1p(f / 700) for f in (_LOWEST_HZ, _HIGHEST_HZ))
  edges = 700 * np.expm1(np.linspace(low, high, _BANDS + 2))[:, None]
  hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
  below, middle, above = edges[:-2], edges[1:-1], edges[2:]
  rise = (hz - below) / (middle - below)
  fall = (above - hz) / (above - middle)
  return np.maximum(np.minimum(rise, fall), 0)


@functools.lru_cache(maxsize=1)
def _weights() -> np.ndarray:
  return np.load(_FILE)


@command('takin_jax.data.speech.lip_probe')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Makes the lip probe.')
  parser.add_argument('records', help='folder of takin_jax.data.prepare')
  parser.add_argument('--out', required=True, type=Path)
  args = parser.parse_args(argv)
  heads = records.read_heads(args.records)
  speech = [
    head
    for head in heads
    if head.meta['speech'] and head.meta['split'] == 'train'
  ]
  if not speech:
    raise InputError(f'{args.records} holds no speech of split train.')
  np.save(args.out, fit(speech))
  print(f'{args.out}: {len(speech)} clips.')
  return 0


if __name__ == '__main__':
  sys.exit(main())
