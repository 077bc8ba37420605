"""Flat colours and textures to put behind a person."""

import numpy as np

COLORS = {
  'grey': (128, 128, 128),
  'white': (255, 255, 255),
  'black': (0, 0, 0),
  'blue': (30, 60, 200),
  'dark red': (110, 15, 15),
  'red': (235, 20, 20),
  'green': (20, 190, 40),
  'yellow': (235, 220, 30),
}
_DARK, _LIGHT = np.array([40, 70, 60]), np.array([225, 200, 150])


def backdrops(size_px: int) -> dict[str, np.ndarray]:
  """Eight colours and four textures: [size_px, size_px, 3] uint8 by name."""
  shape = (size_px, size_px, 3)
  flat = {
    name: np.broadcast_to(np.uint8(color), shape)
    for name, color in COLORS.items()
  }
  y, x = np.mgrid[:size_px, :size_px] / size_px
  share = {  # of the light colour
    'stripes': (np.floor(16 * (x + 0.5 * y)) % 2),
    'checks': (np.floor(10 * x) + np.floor(10 * y)) % 2,
    'gradient': (x + y) / 2,
  }
  mixed = {
    name: np.uint8(_DARK + value[..., None] * (_LIGHT - _DARK))
    for name, value in share.items()
  }
  return flat | mixed | {'patches': _patches(size_px)}


def _patches(size_px: int) -> np.ndarray:
  """A busy picture: random colours in squares of two sizes."""
  rng = np.random.default_rng(0)
  layers = []
  for count in (6, 24):
    colors = rng.integers(0, 256, (count, count, 3))
    place = np.arange(size_px) * count // size_px
    layers.append(colors[place[:, None], place])
  return np.uint8(0.6 * layers[0] + 0.4 * layers[1])


def behind(
  image: np.ndarray, mask: np.ndarray, backdrop: np.ndarray
) -> np.ndarray:
  """Puts a backdrop [H, H, 3] behind the person of a [H, H] mask: uint8."""
  share = mask[..., None]
  return np.uint8(share * image + (1 - share) * backdrop + 0.5)
