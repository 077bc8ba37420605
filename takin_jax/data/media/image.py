"""Pictures of any usual kind -> RGB uint8."""

from collections.abc import Iterator
import io
import warnings

import av
import cv2
import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from takin_jax.data.media.decode import StrPath, file_url, require_file
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.quiet import quiet

# A head may claim any size: what is larger is not decoded.
_MAX_PIXELS = 120_000_000
_MAX_FILE_BYTES = 1 << 30
_MIN_PX = 4  # of the shorter side; a line is no picture
_STRIP = 256  # rows that are converted at once, to save memory
# Brands of HEIF files with HEVC inside, which PyAV decodes.
_HEIC = (b'heic', b'heix', b'heim', b'heis', b'mif1', b'msf1', b'hevc')
# EXIF orientation -> quarter turns to the left, then whether it is mirrored.
_ORIENTATIONS = {
  2: (0, True),
  3: (2, False),
  4: (2, True),
  5: (3, True),
  6: (3, False),
  7: (1, True),
  8: (1, False),
}


def read_image(path: StrPath) -> np.ndarray:
  """Reads a picture at its own size.

  EXIF orientation is applied, transparency put on white; grey, CMYK and 16-bit
  pictures are converted.

  Args:
    path: an image file.

  Returns:
    [H, W, 3] uint8 RGB.

  Raises:
    MediaError: no such file, not an image, one that is thin as a line, or more
      than 120 million pixels.
  """
  require_file(path)
  with open(path, 'rb') as file:
    data = file.read(_MAX_FILE_BYTES)
  if data[4:8] == b'ftyp' and data[8:12] in _HEIC:
    return _heic(path)
  size, orientation = _head(data, path)
  _check_size(*size, path)
  with quiet():
    image = _decode(np.frombuffer(data, np.uint8))
  if image is None:
    raise _unreadable(path)
  turns, mirrored = _ORIENTATIONS.get(orientation, (0, False))
  image = np.rot90(image, turns)
  return np.ascontiguousarray(image[:, ::-1] if mirrored else image)


def _head(data: bytes, path: StrPath) -> tuple[tuple[int, int], int]:
  """Width and height, and EXIF orientation, without decoding the picture."""
  try:
    if data[:4] in (b'II*\0', b'MM\0*'):  # OpenCV always turns a TIFF upright
      return _tiff_size(data), 1
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # its own opinion of what is too large
      with Image.open(io.BytesIO(data)) as image:
        found = Image.Exif()
        found.load(image.info.get('exif') or _png_exif(data) or b'')
        return image.size, found.get(ExifTags.Base.Orientation, 1)
  except Image.DecompressionBombError as e:
    raise _too_large(path) from e
  except Exception as e:  # it raises what its many parsers raise
    raise _unreadable(path) from e


def _tiff_size(data: bytes) -> tuple[int, int]:
  """Pillow opens no TIFF with three float channels; its tags can be read."""
  file = io.BytesIO(data)
  tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
  file.seek(tags.next)
  tags.load(file)
  return tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]


def _png_exif(data: bytes) -> bytes | None:
  """The eXIf chunk of a PNG, which may lie behind the picture."""
  if not data.startswith(b'\x89PNG'):
    return None
  at = 8
  while at + 8 <= len(data):
    size = int.from_bytes(data[at : at + 4])
    if data[at + 4 : at + 8] == b'eXIf':
      return data[at + 8 : at + 8 + size]
    at += 12 + size
  return None


def _check_size(width: int, height: int, path: StrPath) -> None:
  if width * height > _MAX_PIXELS:
    raise _too_large(path)
  if min(width, height) < _MIN_PX:
    raise MediaError(
      f'{path} is {width} x {height} pixels, too thin for a face: give a '
      'larger picture.'
    )


def _decode(data: np.ndarray) -> np.ndarray | None:
  """Encoded bytes -> [H, W, 3] uint8 RGB as they lie, None if they are none."""
  try:
    raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if raw is not None and not (raw.ndim == 3 and raw.shape[2] == 4):
      # Only this mode converts CMYK and palettes.
      mode = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
      raw = cv2.imdecode(data, mode | cv2.IMREAD_IGNORE_ORIENTATION)
  except cv2.error:
    return None
  if raw is None:
    return None
  image = np.empty((*raw.shape[:2], 3), np.uint8)
  for start, strip in _strips(raw):
    image[start : start + len(strip)] = _rgb(strip)
  return image


def _strips(raw: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
  for start in range(0, len(raw), _STRIP):
    yield start, raw[start : start + _STRIP]


def _rgb(raw: np.ndarray) -> np.ndarray:
  """[H, W, 3 or 4] BGR(A) of any depth -> [H, W, 3] uint8 on white."""
  image = cv2.cvtColor(_to_uint8(raw[..., :3]), cv2.COLOR_BGR2RGB)
  if raw.shape[2] == 3:
    return image
  alpha = _to_uint8(raw[..., 3])[..., None].astype(np.float32) / 255
  return np.rint(image * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _to_uint8(image: np.ndarray) -> np.ndarray:
  """uint8, uint16 (full range) or float ([0, 1]) -> uint8."""
  if image.dtype == np.uint8:
    return np.ascontiguousarray(image)
  peak = np.iinfo(image.dtype).max if image.dtype.kind in 'ui' else 1.0
  finite = np.nan_to_num(image.astype(np.float32), posinf=peak)
  return np.rint(np.clip(finite / peak, 0, 1) * 255).astype(np.uint8)


def _heic(path: StrPath) -> np.ndarray:
  """The picture in a HEIF file that is not cut into tiles."""
  try:
    with av.open(
      file_url(path),
      options={'format_whitelist': 'mov,mp4,m4a,3gp,3g2,mj2'},
    ) as container:
      streams = sorted(
        container.streams.video, key=lambda s: s.width * s.height
      )
      if len({(s.width, s.height) for s in streams}) < len(streams):
        raise MediaError(
          f'{path} is a HEIC picture in tiles, which cannot be read: save it '
          'as JPEG.'
        )
      _check_size(streams[-1].width, streams[-1].height, path)
      frame = next(container.decode(streams[-1]))
      image = frame.to_ndarray(format='rgb24')
      turns = round((frame.rotation or 0) / 90) % 4
      return np.ascontiguousarray(np.rot90(image, turns))
  except (av.error.FFmpegError, OSError, StopIteration, IndexError) as e:
    raise _unreadable(path) from e


def _too_large(path: StrPath) -> MediaError:
  return MediaError(
    f'{path} has more than {_MAX_PIXELS // 10**6} million pixels: reduce it.'
  )


def _unreadable(path: StrPath) -> MediaError:
  return MediaError(
    f'{path} is not an image that can be read: give a JPEG, PNG, WebP, BMP, '
    'TIFF or HEIC file.'
  )
