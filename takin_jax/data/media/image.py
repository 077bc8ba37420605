"""Pictures of any usual kind -> RGB uint8."""

import cv2
import numpy as np

from takin_jax.data.media.decode import StrPath, require_file
from takin_jax.data.media.errors import MediaError

_MAX_PX = 4096


def read_image(path: StrPath) -> np.ndarray:
  """Reads a picture.

  EXIF rotation is applied, transparency put on white; grey, CMYK and 16-bit
  pictures are converted, pictures above 4096 px reduced.

  Args:
    path: an image file.

  Returns:
    [H, W, 3] uint8 RGB.

  Raises:
    MediaError: no such file, or not an image.
  """
  require_file(path)
  image, alpha = _decode(np.fromfile(path, np.uint8))
  if image is None:
    raise MediaError(
      f'{path} is not an image that can be read: give a JPEG, PNG, WebP, BMP '
      'or TIFF file.'
    )
  image = cv2.cvtColor(_to_uint8(image), cv2.COLOR_BGR2RGB)
  if alpha is not None:
    alpha = _to_uint8(alpha)[..., None].astype(np.float32) / 255
    image = np.rint(image * alpha + 255 * (1 - alpha)).astype(np.uint8)
  scale = _MAX_PX / max(image.shape[:2])
  if scale < 1:
    image = cv2.resize(
      image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
  return image


def _decode(data: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
  """Encoded bytes -> [H, W, 3] BGR and [H, W] alpha, None where absent."""
  if not len(data):
    return None, None
  try:
    raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if raw is None:
      return None, None
    if raw.ndim == 3 and raw.shape[2] == 4:
      return raw[..., :3], raw[..., 3]
    # Only this mode applies EXIF rotation and converts CMYK and palettes.
    return cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH), None
  except cv2.error:
    return None, None


def _to_uint8(image: np.ndarray) -> np.ndarray:
  """uint8, uint16 (full range) or float ([0, 1]) -> uint8."""
  if image.dtype == np.uint8:
    return image
  peak = np.iinfo(image.dtype).max if image.dtype.kind in 'ui' else 1.0
  scaled = np.clip(image.astype(np.float32) / peak, 0, 1) * 255
  return np.rint(scaled).astype(np.uint8)
