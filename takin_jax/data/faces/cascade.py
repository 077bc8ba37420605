"""Faces without downloads: OpenCV's cascades, from the OpenCV wheel.

In: an RGB picture. Out: boxes as the landmarker would draw them.
Source: Viola and Jones 2001; Lienhart's frontal `alt2` and profile cascades.
"""

from collections.abc import Iterator
import functools
from typing import NamedTuple

import cv2
import numpy as np

from takin_jax.data.media import MediaError


class _Cascade(NamedTuple):
  """A cascade, and where the landmark box lies in relation to its windows.

  Measured against MediaPipe on 57 portraits and two frames of each of 93 clips:
  median, and in brackets the standard deviation, in window widths.
    frontal: side 0.970 (.064), centre x 0.00 (.052), centre y 0.08 (.030)
    profile: side 0.93 (.17), centre x -0.14 (.079), centre y 0.12 (.064)
  Averaging cascades, scales and mirrored pictures does not narrow it.
  """

  file: str
  side: float
  centre: tuple[float, float]
  min_weight: float  # a window with less is no face


# Weights, frontal: 99.5 % of the true faces are above 54.8; coffee cups and
# textures reach 54.2. Profile: above 2.0 there are hardly any false ones.
_FRONTAL = _Cascade('frontalface_alt2', 0.97, (0.0, 0.08), 54.7)
_PROFILE = _Cascade('profileface', 0.93, (-0.14, 0.12), 2.0)


class _Look(NamedTuple):
  """One way of looking at a picture."""

  cascade: _Cascade = _FRONTAL
  longest_px: int = 480  # the picture is shrunk to this first
  angle_deg: float = 0.0  # and turned
  margin: float = 0.0  # and given a margin, for faces cut off by the edge
  mirror: bool = False  # the profile cascade knows one side only
  least: float = 0.05  # side of the smallest window, of the shorter side
  neighbours: int = 3  # windows that must agree


# In this order until one finds a face.
_LOOKS = (
  _Look(),
  _Look(margin=0.25),
  _Look(angle_deg=-25.0),
  _Look(angle_deg=25.0),
  _Look(longest_px=1200),
  _Look(cascade=_PROFILE),
  _Look(cascade=_PROFILE, mirror=True),
)
TILE_PX = 1200
# Unsure windows, too: each is looked at again by itself.
_SMALL = _Look(
  cascade=_FRONTAL._replace(min_weight=0.0),
  longest_px=TILE_PX,
  least=0.03,
  neighbours=1,
)
# Weights of false windows reach 56.4 in pictures that are upside down; true
# faces have 57.0 (median of 57 portraits).
_SURE, _CLEAR, _CLEARER = 56.5, 56.0, 0.8
_LIKELY = 5  # windows of a part
_AROUND, _NEAR_PX = 2.5, 320  # of a small window, and its side
_SCALE_STEP = 1.1
_MIN_PX = 24
_WEIGHT_RANGE = 1.5  # a window this much below the best one is no face


def detect_boxes(image: np.ndarray) -> np.ndarray:
  """Finds faces.

  Args:
    image: [H, W, 3] uint8 RGB.

  Returns:
    [N, 4] float32 x0, y0, x1, y1 in pixels, the largest first; squares as
    large as the longer side of the landmark box.
  """
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  for look in _LOOKS:
    squares = _distinct(list(_search(gray, look)))
    if squares:
      return _boxes(squares)
  return _boxes([])


def detect_small(image: np.ndarray) -> np.ndarray:
  """As `detect_boxes`, in a part of a large picture: clear, small faces."""
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  likely = sorted(_search(gray, _SMALL), key=lambda s: -s[3])[:_LIKELY]
  return _boxes(_distinct([s for s in likely if _is_clear(gray, s)]))


def _is_clear(gray: np.ndarray, square: tuple) -> bool:
  """Whether a small window is still a face when it is looked at alone."""
  x, y, side, weight = square
  corner = [max(round(v - _AROUND * side / 2), 0) for v in (x, y)]
  end = [round(v + _AROUND * side / 2) for v in (x, y)]
  near = gray[corner[1] : end[1], corner[0] : end[0]]
  near = cv2.resize(near, (_NEAR_PX, _NEAR_PX), interpolation=cv2.INTER_CUBIC)
  return max(weight, _best_weight(near)) >= _CLEAR


def quarter_turns(image: np.ndarray) -> int:
  """How often a picture must be turned to the left for its face to be upright.

  Args:
    image: [H, W, 3] uint8 RGB.

  Returns:
    0 to 3; 0 too where no turn shows a clear face.
  """
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  upright = _best_weight(gray)
  if upright >= _SURE:
    return 0
  turned = [_best_weight(np.rot90(gray, k)) for k in (1, 2, 3)]
  least = _CLEAR if upright == 0 else upright + _CLEARER
  return 1 + int(np.argmax(turned)) if max(turned) >= least else 0


def _best_weight(gray: np.ndarray) -> float:
  """Of the frontal windows of the first look that has any; 0 if none has."""
  gray = np.ascontiguousarray(gray)
  for look in _LOOKS[:2]:
    weights = [weight for *_, weight in _search(gray, look)]
    if weights:
      return float(max(weights))
  return 0.0


def _boxes(squares: list) -> np.ndarray:
  x, y, side, _ = np.array(squares, np.float32).reshape(-1, 4).T
  edges = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
  return np.stack(edges, -1)


def _search(
  gray: np.ndarray, look: _Look
) -> Iterator[tuple[float, float, float, float]]:
  """Yields (centre x, centre y, side, weight) in pixels of `gray`."""
  view, to_view = _view(gray, look)
  least = max(_MIN_PX, int(look.least * min(view.shape)))
  windows, _, weights = _classifier(look.cascade.file).detectMultiScale3(
    view,
    _SCALE_STEP,
    look.neighbours,
    minSize=(least, least),
    outputRejectLevels=True,
  )
  to_picture = cv2.invertAffineTransform(to_view)
  scale = np.sqrt(abs(np.linalg.det(to_picture[:, :2])))
  dx, dy = look.cascade.centre
  for (x, y, width, _), weight in zip(windows, np.ravel(weights), strict=True):
    if weight >= look.cascade.min_weight:
      centre = (x + (0.5 + dx) * width, y + (0.5 + dy) * width, 1.0)
      side = look.cascade.side * width * scale
      yield *(to_picture @ centre), side, weight


def _view(gray: np.ndarray, look: _Look) -> tuple[np.ndarray, np.ndarray]:
  """The picture as this look sees it, and [2, 3] the way of its points."""
  height, width = gray.shape
  zoom = 1 + 2 * look.margin
  scale = min(1.0, look.longest_px / (zoom * max(height, width)))
  size = [max(round(scale * n), 1) for n in (width, height)]
  small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
  h, w = small.shape
  out_h, out_w = round(zoom * h), round(zoom * w)
  move = cv2.getRotationMatrix2D((w / 2, h / 2), look.angle_deg, 1.0)
  move[:, 2] += (out_w - w) / 2, (out_h - h) / 2
  if look.mirror:
    move = np.diag([-1.0, 1.0]) @ move
    move[0, 2] += out_w
  view = cv2.warpAffine(
    small, move, (out_w, out_h), borderMode=cv2.BORDER_REPLICATE
  )
  return cv2.equalizeHist(view), move @ np.diag([scale, scale, 1.0])


def _distinct(squares: list) -> list:
  """Drops weak squares and parts of larger ones; the largest first."""
  best = max((s[3] for s in squares), default=0.0)
  kept = []
  for x, y, side, weight in sorted(squares, key=lambda s: -s[2]):
    inside = any(max(abs(x - u), abs(y - v)) < z / 2 for u, v, z, _ in kept)
    if weight >= best - _WEIGHT_RANGE and not inside:
      kept.append((x, y, side, weight))
  return kept


@functools.cache
def _classifier(name: str) -> 'cv2.CascadeClassifier':
  try:
    folder = cv2.data.haarcascades
    classifier = cv2.CascadeClassifier(f'{folder}haarcascade_{name}.xml')
  except AttributeError as e:
    raise MediaError(
      f'OpenCV {cv2.__version__} has no face detector: install version 4 '
      '(pip install "opencv-python-headless<5"), or give --crop x,y,size.'
    ) from e
  return classifier
