"""One face through a video: where it is, and in which frames there is none.

In: RGB frames. Out: a square for every frame that follows the head like a calm
camera operator: it stands still while the head stays near its place, so that
the movements of the head remain, and goes along when camera or person move
away. Detectors look at every fifth frame, and closer where something changes.
"""

from collections.abc import Callable, Iterable, Iterator
import contextlib
import dataclasses

import cv2
import numpy as np

from takin_jax.data.faces import cascade
from takin_jax.data.faces.crop import (
  CropBox,
  crop_around,
  crop_image,
  moved_inside,
)
from takin_jax.data.faces.landmarks import (
  landmark_box,
  landmarker,
  local_model,
)

_EVERY = 5  # frames between looks
_THUMB_PX, _CHANGED = 16, 12.0  # grey levels by which a frame is another one
_DETECT_PX = 640
_AROUND = 3.0  # a face is first looked for in so many of its sides
# A look that is further than this share of the square from those around it, or
# of a size that differs by a fifth, saw something else.
_WRONG = 0.7
_SMOOTH_FRAMES = 12.0  # standard deviation in time
# The square stands still while the head is nearer to the clip's median place
# and size than this share of the square's side.
_FREE, _FREE_SIZE = 0.1, 0.1

Detect = Callable[[np.ndarray], np.ndarray]  # picture -> [N, 4] boxes


@dataclasses.dataclass(frozen=True)
class Track:
  """A face through a video of T frames.

  Attributes:
    squares: [T, 3] float x, y and side of the square to crop, in pixels.
    found: [T] bool, whether the frame shows the face.
  """

  squares: np.ndarray
  found: np.ndarray

  @property
  def first(self) -> int:
    """The first frame with the face."""
    return int(np.argmax(self.found))

  def crop(self, image: np.ndarray, frame: int, size_px: int) -> np.ndarray:
    """Cuts a frame's square out: [size_px, size_px, 3] uint8."""
    return crop_between(image, self.squares[frame], size_px)


def track_face(frames: Iterable[np.ndarray]) -> Track | None:
  """Follows the face that is largest where the video first shows one.

  Args:
    frames: [H, W, 3] uint8 RGB, 25 a second.

  Returns:
    Its track; None: there is no face in any frame.
  """
  looks, picture = [], (0, 0)  # (frame, [4] box or None)
  with _detector() as detect:
    for pending in _stretches(frames):
      picture = pending[-1][1].shape[:2]
      looks += _look(pending, detect, looks[-1] if looks else None)
  found = np.array([box is not None for _, box in looks])
  if not found.any():
    return None
  at = np.array([frame for frame, _ in looks])
  boxes = [crop_around(box) for _, box in looks if box is not None]
  count = int(at[-1]) + 1
  nearest = np.abs(at[:, None] - np.arange(count)).argmin(0)
  path = _calm(at[found], np.array(boxes, float), count, picture)
  return Track(path, found[nearest])


def crop_between(
  image: np.ndarray, square: np.ndarray, size_px: int
) -> np.ndarray:
  """As `crop_image`, for a square [3] that lies between pixels.

  A square that moves by whole pixels would shake the head.
  """
  if np.array_equal(square, np.round(square)):
    return crop_image(image, CropBox(*map(int, square)), size_px)
  x, y, side = square
  left, top = int(np.floor(x)) - 1, int(np.floor(y)) - 1
  around = int(np.ceil(side)) + 3
  big_px = max(round(around * size_px / side), size_px)
  big = crop_image(image, CropBox(left, top, around), big_px)
  scale = big_px / around
  step = side / size_px * scale
  shift = [(v - w) * scale + step / 2 - 0.5 for v, w in ((x, left), (y, top))]
  move = np.array([[step, 0.0, shift[0]], [0.0, step, shift[1]]])
  return cv2.warpAffine(
    big,
    move,
    (size_px, size_px),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )


def _stretches(
  frames: Iterable[np.ndarray],
) -> Iterator[list[tuple[int, np.ndarray]]]:
  """Numbered frames up to the next one to be looked at, which is the last."""
  pending, last = [], None
  for number, image in enumerate(frames):
    pending.append((number, image))
    small = cv2.resize(
      image, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    changed = last is None or np.abs(small - last).mean() > _CHANGED
    if changed or number % _EVERY == 0:
      yield pending
      pending, last = [], small
  if pending:
    yield pending


def _look(
  pending: list[tuple[int, np.ndarray]],
  detect: Detect,
  before: tuple[int, np.ndarray | None] | None,
) -> list[tuple[int, np.ndarray | None]]:
  """Looks at the last frame of a stretch, and at all where faces come or go."""
  near = before[1] if before else None
  box = _find(pending[-1][1], detect, near)
  looks = [(pending[-1][0], box)]
  if before and (box is None) != (near is None):
    between = [(n, _find(x, detect, near)) for n, x in pending[:-1]]
    looks = between + looks
  return looks


def _find(
  image: np.ndarray, detect: Detect, near: np.ndarray | None
) -> np.ndarray | None:
  """[4] box of the face nearest to where it was, else of the largest."""
  if near is not None:
    height, width = image.shape[:2]
    centre, reach = (near[:2] + near[2:]) / 2, _AROUND * (near[2] - near[0]) / 2
    x0, y0 = np.maximum(centre - reach, 0).astype(int)
    x1, y1 = np.minimum(centre + reach, (width, height)).astype(int)
    if min(x1 - x0, y1 - y0) >= 16:
      boxes = detect(np.ascontiguousarray(image[y0:y1, x0:x1]))
      if len(boxes):
        boxes = boxes + np.array([x0, y0, x0, y0], np.float32)
        away = np.abs(boxes - near).sum(1)
        return boxes[int(away.argmin())]
  boxes = detect(image)
  return boxes[0] if len(boxes) else None


def _calm(
  at: np.ndarray, boxes: np.ndarray, count: int, picture: tuple[int, int]
) -> np.ndarray:
  """[N] frames and their [N, 3] squares -> [count, 3] squares that follow."""
  height, width = picture
  x, y, side = boxes.T
  places = np.stack([x + side / 2, y + side / 2, np.log(side)], -1)
  middle = np.median(places, 0)
  size = np.exp(middle[2])
  near = _median(places, 7, 'reflect')
  right = (np.abs(places - near) < [_WRONG * size, _WRONG * size, 0.2]).all(1)
  if right.any():
    at, places = at[right], places[right]
  steady = _median(places, 5, 'edge')
  dense = np.stack(
    [np.interp(np.arange(count), at, values) for values in steady.T], -1
  )
  smooth = _smoothed(dense)
  free = np.array([_FREE * size, _FREE * size, _FREE_SIZE])
  away = smooth - middle
  away = np.sign(away) * np.maximum(np.abs(away) - free, 0.0)
  if not away.any():  # it stays in one place
    corner = np.round(middle[:2] - size / 2)
    box = moved_inside(CropBox(*corner, round(size)), width, height)
    return np.tile(np.array(box, float), (count, 1))
  centre, side = middle[:2] + away[:, :2], size * np.exp(away[:, 2])
  return np.concatenate([centre - side[:, None] / 2, side[:, None]], -1)


def _median(path: np.ndarray, looks: int, ends: str) -> np.ndarray:
  """[N, 3] a path, its median over so many looks around each."""
  padded = np.pad(path, ((looks // 2, looks // 2), (0, 0)), ends)
  windows = np.lib.stride_tricks.sliding_window_view(padded, looks, 0)
  return np.median(windows, -1)


def _smoothed(path: np.ndarray) -> np.ndarray:
  """[T, 3] a path, averaged over the frames around each."""
  reach = int(3 * _SMOOTH_FRAMES)
  steps = np.arange(-reach, reach + 1)
  kernel = np.exp(-0.5 * (steps / _SMOOTH_FRAMES) ** 2)
  kernel /= kernel.sum()
  # Beyond its ends the path goes on as it went.
  padded = np.pad(path, ((reach, reach), (0, 0)), 'reflect', reflect_type='odd')
  return np.stack(
    [np.convolve(values, kernel, 'valid') for values in padded.T], -1
  )


@contextlib.contextmanager
def _detector() -> Iterator[Detect]:
  """What finds faces here, opened once."""
  model = local_model()
  if model is None:
    yield cascade.detect_boxes
    return
  with landmarker(model) as net:

    def detect(image: np.ndarray) -> np.ndarray:
      height, width = image.shape[:2]
      scale = min(1.0, _DETECT_PX / max(height, width))
      small = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
      )
      boxes = [landmark_box(f, width, height) for f in net.detect_all(small)]
      return np.array(boxes) if boxes else cascade.detect_boxes(image)

    yield detect
