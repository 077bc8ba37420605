"""The mean face: which landmark mirrors which, and a map of chosen ones.

  python -m takin_jax.data.faces.mean_face --config configs/motion.py \
    --out docs/landmarks.png

draws the landmarks that guide keypoints in a config of stage 1.
"""

import argparse
from collections.abc import Sequence
import functools
from pathlib import Path
import sys

import cv2
import numpy as np

from takin_jax.cli.errors import command
from takin_jax.config import load_config
from takin_jax.errors import InputError

_FILE = Path(__file__).parents[2] / 'assets' / 'mean_face.npy'
_SIDE_PX = 900
_DOT, _CHOSEN, _INK = (200, 200, 200), (30, 60, 220), (20, 20, 20)  # BGR


@functools.lru_cache(maxsize=1)
def load() -> np.ndarray:
  """[478, 3] landmarks, symmetric; x right, y down, z into the picture."""
  return np.load(_FILE).astype(np.float32)


@functools.lru_cache(maxsize=1)
def mirror() -> np.ndarray:
  """[478]: the landmark that takes the place of each in a mirrored face."""
  face = load()
  mirrored = face * np.array([-1, 1, 1], np.float32)
  return np.square(face[:, None] - mirrored).sum(-1).argmin(1)


def draw(landmarks: Sequence[int], keypoints: Sequence[int]) -> np.ndarray:
  """The mean face with chosen landmarks.

  Args:
    landmarks: numbers of the landmarks that are marked.
    keypoints: the keypoint that each of them guides.

  Returns:
    [900, 900, 3] uint8 BGR; labels read `landmark > keypoint`.
  """
  face = load()[:, :2]
  low, high = face.min(0), face.max(0)
  scale = 0.92 * _SIDE_PX / (high - low).max()
  places = (face - (low + high) / 2) * scale + _SIDE_PX / 2
  picture = np.full((_SIDE_PX, _SIDE_PX, 3), 255, np.uint8)
  for x, y in places:
    cv2.circle(picture, (int(x), int(y)), 2, _DOT, -1, cv2.LINE_AA)
  chosen = places[list(landmarks)].astype(int)
  for (x, y), *names in zip(chosen, landmarks, keypoints, strict=True):
    cv2.circle(picture, (int(x), int(y)), 5, _CHOSEN, -1, cv2.LINE_AA)
    text, font = '{} > {}'.format(*names), cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, 0.45, 1)
    # Outwards, where the neighbours are not; if there is one, inwards.
    sides = [x - width - 8, x + 8]
    if x >= _SIDE_PX / 2 - 4:
      sides.reverse()
    near = np.abs(chosen[:, 1] - y) < height
    taken = near & (np.abs(chosen[:, 0] - sides[0] - width / 2) < width / 2 + 6)
    place = (int(sides[int(taken.any())]), int(y + height // 2))
    cv2.putText(picture, text, place, font, 0.45, _INK, 1, cv2.LINE_AA)
  return picture


@command('takin_jax.data.faces.mean_face')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Draws the chosen landmarks.')
  parser.add_argument('--config', required=True, metavar='FILE')
  parser.add_argument('--out', required=True, metavar='PNG')
  args = parser.parse_args(argv)
  loss = load_config(args.config).loss
  if 'landmark_indices' not in loss:
    raise InputError(f'{args.config} has no loss.landmark_indices to draw.')
  picture = draw(loss.landmark_indices, loss.landmark_keypoints)
  Path(args.out).write_bytes(cv2.imencode('.png', picture)[1].tobytes())
  return 0


if __name__ == '__main__':
  sys.exit(main())
