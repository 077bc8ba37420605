"""Pictures of every usual kind, and what only looks like one."""

import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps
import pytest

from takin_jax.data import media
from takin_jax.data.media import image as image_lib


@pytest.fixture
def picture():
  """[30, 40, 3] uint8, smooth, another colour in every corner."""
  rng = np.random.default_rng(1)
  small = rng.integers(0, 255, (2, 2, 3), np.uint8)
  return cv2.resize(small, (40, 30), interpolation=cv2.INTER_LINEAR)


def test_plain_and_grey(tmp_path, picture):
  Image.fromarray(picture).save(tmp_path / 'a.png')
  np.testing.assert_array_equal(media.read_image(tmp_path / 'a.png'), picture)
  Image.fromarray(picture[..., 0]).save(tmp_path / 'g.png')
  grey = media.read_image(tmp_path / 'g.png')
  np.testing.assert_array_equal(grey, np.dstack([picture[..., 0]] * 3))


def test_exif_rotation(tmp_path, picture):
  exif = Image.Exif()
  exif[0x0112] = 6  # show it a quarter to the right
  Image.fromarray(picture).save(tmp_path / 'a.jpg', exif=exif, quality=100)
  image = media.read_image(tmp_path / 'a.jpg').astype(int)
  assert image.shape == (40, 30, 3)
  assert np.abs(image - np.rot90(picture, -1)).mean() < 4


def test_cmyk(tmp_path, picture):
  Image.fromarray(picture).convert('CMYK').save(tmp_path / 'a.jpg', quality=100)
  image = media.read_image(tmp_path / 'a.jpg').astype(int)
  assert np.abs(image - picture).mean() < 4


def test_16_bit(tmp_path, picture):
  deep = picture.astype(np.uint16) * 257
  for name, data in (('a.png', deep), ('g.png', deep[..., 0])):
    cv2.imwrite(str(tmp_path / name), data)
  image = media.read_image(tmp_path / 'a.png')
  np.testing.assert_array_equal(image, picture[..., ::-1])
  grey = media.read_image(tmp_path / 'g.png')
  np.testing.assert_array_equal(grey[..., 1], picture[..., 0])


def test_alpha_is_put_on_white(tmp_path, picture):
  alpha = np.full((30, 40, 1), 255, np.uint8)
  alpha[:10], alpha[10:20] = 0, 128
  Image.fromarray(np.dstack([picture, alpha])).save(tmp_path / 'a.png')
  image = media.read_image(tmp_path / 'a.png').astype(int)
  assert (image[:10] == 255).all()
  np.testing.assert_allclose(
    image[10:20], (picture[10:20] * 128.0 + 255 * 127) / 255, atol=1
  )
  np.testing.assert_array_equal(image[20:], picture[20:])


def test_large_pictures_keep_their_pixels(tmp_path):
  cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((50, 6000), np.uint8))
  assert media.read_image(tmp_path / 'a.jpg').shape == (50, 6000, 3)


@pytest.mark.parametrize('orientation', [*range(1, 9), 0, 99])
@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp', 'avif', 'tif'])
@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_orientation_whatever_the_format(tmp_path, orientation, ending, mode):
  corners = np.kron(
    [[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 250, 0]]],
    np.ones((16, 24, 1)),
  ).astype(np.uint8)
  exif = Image.Exif()
  exif[0x0112] = orientation
  stored = Image.fromarray(corners)
  mode = 'RGB' if ending == 'jpg' else mode
  path = tmp_path / f'a.{ending}'
  options = {'tiffinfo': exif} if ending == 'tif' else {'exif': exif}
  quality = {} if ending in ('png', 'tif') else {'quality': 95}
  stored.convert(mode).save(path, **options, **quality)
  stored.getexif()[0x0112] = orientation
  upright = np.array(ImageOps.exif_transpose(stored)).astype(int)
  image = media.read_image(path).astype(int)
  assert image.shape == upright.shape
  assert np.abs(image - upright).mean() < 8


def test_a_deep_tiff_is_turned_once(tmp_path):
  deep = np.zeros((20, 30, 3), np.uint16)
  deep[:10, :15] = 65535
  Image.fromarray(deep[..., 0]).save(tmp_path / 'a.tif', tiffinfo={274: 6})
  image = media.read_image(tmp_path / 'a.tif')
  assert image.shape == (30, 20, 3)
  assert image[:15, 10:].min() == 255 and image[:15, :10].max() == 0


def test_png_whose_exif_comes_last(tmp_path, picture):
  exif = Image.Exif()
  exif[0x0112] = 6
  Image.fromarray(picture).save(tmp_path / 'a.png')
  data = (tmp_path / 'a.png').read_bytes()
  end = data.index(b'IEND') - 4
  content = exif.tobytes().removeprefix(b'Exif\0\0')
  chunk = b'eXIf' + content
  size, crc = (struct.pack('>I', n) for n in (len(content), zlib.crc32(chunk)))
  chunk = size + chunk + crc
  (tmp_path / 'a.png').write_bytes(data[:end] + chunk + data[end:])
  np.testing.assert_array_equal(
    media.read_image(tmp_path / 'a.png'), np.rot90(picture, -1)
  )


def head_of_png(width, height):
  """A PNG that claims a size; nothing follows."""
  chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
  crc = struct.pack('>I', zlib.crc32(chunk))
  start = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + crc
  return start + struct.pack('>I', 9) + b'IDAT'


@pytest.mark.parametrize('size', [(30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_the_size_is_looked_at_before_decoding(tmp_path, size, monkeypatch):
  monkeypatch.setattr(image_lib, '_decode', None)
  (tmp_path / 'a.png').write_bytes(head_of_png(*size))
  with pytest.raises(media.MediaError, match='120 million pixels') as error:
    media.read_image(tmp_path / 'a.png')
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('size', [(1, 1), (720, 1), (1, 5000), (20_000, 2)])
def test_thin_pictures(tmp_path, size):
  Image.new('RGB', size).save(tmp_path / 'a.png')
  with pytest.raises(media.MediaError, match='too thin'):
    media.read_image(tmp_path / 'a.png')


def test_numbers_that_are_none(tmp_path):
  values = np.full((20, 20, 3), 0.5, np.float32)
  values[0], values[1], values[2] = np.nan, np.inf, -np.inf
  cv2.imwrite(str(tmp_path / 'a.tif'), values)
  image = media.read_image(tmp_path / 'a.tif')
  assert (image[:3, 0, 0] == [0, 255, 0]).all() and (image[3:] == 128).all()


def test_a_video_is_no_picture(tmp_path):
  path = tmp_path / 'v.mp4'
  with media.VideoWriter(path, rate=None) as video:
    video.write(np.zeros((32, 32, 3), np.uint8))
  with pytest.raises(media.MediaError, match='not an image'):
    media.read_image(path)


def test_real_files(test_data):
  cases = test_data / 'cases'
  turned = media.read_image(cases / 'p_exif6_alpha.webp')
  assert turned.shape == (1280, 720, 3)
  assert media.read_image(cases / 'p_iphone.heic').shape == (640, 360, 3)
  with pytest.raises(media.MediaError, match='too thin'):
    media.read_image(cases / 'p_1row.png')
