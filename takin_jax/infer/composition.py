"""A moving face at a picture's own resolution, in its own place.

In: a picture of any size, the crop that is animated, and what the small
renderer knows of a frame: where its pixels come from (`flow`) and what it
paints over them (`residual`). Out: the picture with the face moving in it,

  out(p) = picture(p + w(p) up(flow)(p)) + v(p) up(residual)(p)

with windows w and v that fade to 0 inside the crop, so that it joins the rest
of the picture without a seam. A side of the crop at or beyond the picture's
edge has nothing to join and does not fade: a picture that is all crop moves up
to its border. The paint alone is enlarged, never the face: skin and hair stay
as sharp as the picture is.
"""

from collections.abc import Sequence
import dataclasses

import cv2
import numpy as np

from takin_jax.data.faces import CropBox

# Share of the crop's side over which motion and paint fade in.
_FLOW_FADE, _RESIDUAL_FADE = 0.15, 0.08
# The picture is sampled linearly from a copy that is larger by this factor:
# sharper than linear sampling of the picture, and cheaper than cubic.
_ENLARGED = 2
# Share of the crop's side around it from which pixels may be taken.
_REACH = 0.25


@dataclasses.dataclass(frozen=True)
class Layer:
  """What a frame changes in one crop.

  Attributes:
    flow: [h, h, 2] float32 (x, y): where a pixel comes from, relative to where
      it is, in halves of the crop's side.
    residual: [R, R, 3] int16 or float32: what is added, in grey levels.
  """

  flow: np.ndarray
  residual: np.ndarray


class Placement:
  """Where a crop lies in pictures of one size; made once, used every frame.

  Args:
    shape: (height, width) of the pictures.
    crop: the animated square in their pixels; it may leave the picture.

  Raises:
    ValueError: the crop and the picture do not overlap.
  """

  def __init__(self, shape: Sequence[int], crop: CropBox):
    height, width = shape[:2]
    x, y, side = float(crop.x), float(crop.y), float(crop.size)
    left, right = _overlap(x, side, width)
    top, bottom = _overlap(y, side, height)
    if left >= right or top >= bottom:
      raise ValueError(
        f'The crop {crop.x:g},{crop.y:g},{crop.size:g} lies outside the '
        f'picture of {width} x {height} pixels.'
      )
    self.rows, self.columns = slice(top, bottom), slice(left, right)
    # Every pixel's place in the crop, 0 to 1.
    across = (np.arange(left, right, dtype=np.float32) - x + 0.5) / side
    down = (np.arange(top, bottom, dtype=np.float32) - y + 0.5) / side
    joins_x = x > 0, x + side < width
    joins_y = y > 0, y + side < height

    def window(fade: float) -> np.ndarray:
      rows = _faded(down, joins_y, fade)[:, None]
      return (rows * _faded(across, joins_x, fade)[None])[..., None]

    self._flow_window = window(_FLOW_FADE) * (side / 2)
    self._residual_window = window(_RESIDUAL_FADE)
    self._corner = left - x + 0.5, top - y + 0.5
    self._side = side
    grid = np.meshgrid(
      np.arange(left, right, dtype=np.float32),
      np.arange(top, bottom, dtype=np.float32),
    )
    self._grid = np.dstack(grid)

  def sampled(self, layer: Layer) -> np.ndarray:
    """[h, w, 2] picture coordinates that the crop's pixels come from."""
    return self._grid + self._flow_window * self._enlarged(layer.flow)

  def painted(self, layer: Layer) -> np.ndarray:
    """[h, w, 3] float32 grey levels to add to the crop's pixels."""
    return self._residual_window * self._enlarged(layer.residual)

  def around(self, shape: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns of the picture from which pixels are taken."""
    reach = int(np.ceil(_REACH * self._side))

    def widened(span: slice, length: int) -> slice:
      return slice(max(span.start - reach, 0), min(span.stop + reach, length))

    return widened(self.rows, shape[0]), widened(self.columns, shape[1])

  def _enlarged(self, values: np.ndarray) -> np.ndarray:
    """[n, n, C] over the crop -> [h, w, C] float32 at the picture's pixels."""
    scale = values.shape[0] / self._side
    matrix = np.array(
      [
        [scale, 0, self._corner[0] * scale - 0.5],
        [0, scale, self._corner[1] * scale - 0.5],
      ]
    )
    height, width = self._grid.shape[:2]
    return cv2.warpAffine(
      np.asarray(values, np.float32),
      matrix,
      (width, height),
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE,
    )


class Composition:
  """A picture that stays, with faces that move in it.

  Args:
    picture: [H, W, 3] uint8.
    crops: the animated squares, one a face.

  Raises:
    ValueError: a crop and the picture do not overlap.
  """

  def __init__(self, picture: np.ndarray, crops: Sequence[CropBox]):
    self.picture = picture
    self._faces = [_Face(picture, crop) for crop in crops]

  def __call__(self, layers: Sequence[Layer]) -> np.ndarray:
    """A frame [H, W, 3] uint8, of what each face changes."""
    out = self.picture.copy()
    for face, layer in zip(self._faces, layers, strict=True):
      place = face.placement.rows, face.placement.columns
      if len(self._faces) == 1:
        out[place] = face(layer)
      else:  # crops may overlap: each adds what it changes
        change = face(layer).astype(np.int16) - self.picture[place]
        out[place] = np.clip(out[place] + change, 0, 255)
    return out


class _Face:
  """One crop of a picture that stays, ready to be sampled."""

  def __init__(self, picture: np.ndarray, crop: CropBox):
    self.placement = Placement(picture.shape, crop)
    rows, columns = self.placement.around(picture.shape)
    near = picture[rows, columns]
    self._origin = np.float32([columns.start, rows.start])
    self._near = cv2.resize(
      near, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_LANCZOS4
    )

  def __call__(self, layer: Layer) -> np.ndarray:
    where = self.placement.sampled(layer) - self._origin
    where = where * _ENLARGED + (_ENLARGED - 1) / 2
    warped = cv2.remap(
      self._near, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.add(warped, self.placement.painted(layer), dtype=cv2.CV_8U)


def compose(
  picture: np.ndarray, placement: Placement, layer: Layer
) -> np.ndarray:
  """A frame of a picture that is new every time, as in a video.

  Args:
    picture: [H, W, 3] uint8.
    placement: of the crop in pictures of that size.
    layer: what the frame changes.

  Returns:
    [H, W, 3] uint8.
  """
  warped = cv2.remap(
    picture,
    placement.sampled(layer),
    None,
    cv2.INTER_CUBIC,
    borderMode=cv2.BORDER_REPLICATE,
  )
  out = picture.copy()
  out[placement.rows, placement.columns] = cv2.add(
    warped, placement.painted(layer), dtype=cv2.CV_8U
  )
  return out


def _overlap(start: float, side: float, length: int) -> tuple[int, int]:
  """First pixel and the one after the last that lie in a span."""
  return max(int(np.floor(start)), 0), min(int(np.ceil(start + side)), length)


def _faded(
  place: np.ndarray, joins: tuple[bool, bool], fade: float
) -> np.ndarray:
  """1 inside, 0 at the ends that join something, smooth between."""
  out = np.ones_like(place)
  for joined, depth in zip(joins, (place, 1 - place), strict=True):
    if joined:
      part = np.clip(depth / fade, 0, 1)
      out *= part * part * (3 - 2 * part)
  return out
