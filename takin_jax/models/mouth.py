"""Mouth painter: teeth, tongue, dark cavity and lip edges, in a window.

A portrait with shut lips does not show what opens, so no warp can make it. A
small U-Net paints a window that rides on the mouth. It sees the warped
portrait there, the portrait itself locked to the upper and to the lower jaw
(teeth move with these, not with the lips), the distances to the four lip
curves, and textures that it has learnt, locked to the jaws as well.

In: portrait, warped portrait, residual, keypoints. Out: a new residual, for
`out = warped + residual`, and what it holds of the mouth's inside, which is
replaced: `inside * (paint - warped)`. `inside` is an exact function of the
keypoints, so that it can be drawn anew at any size. Source:
this project's own; the jaws' textures are in the spirit of neural textures
(Thies et al., arXiv 1904.12356), the modulation is FiLM (arXiv 1709.07871).
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Conv, group_norm, leaky_relu
from takin_jax.ops import face_window, mouth_window
from takin_jax.ops.face_window import Affine
from takin_jax.ops.grid_sample import grid_sample
from takin_jax.ops.resize import bilinear_upsample, pixel_unshuffle

# Mean distance of the largest from the smallest channel, of pale skin.
_SKIN_COLOUR = 0.1


@dataclass(frozen=True)
class MouthConfig:
  """Sizes of the mouth painter.

  Attributes:
    height, width: of the window, pixels; multiples of 8.
    widths: of the U-Net at 1, 1/2, 1/4 and 1/8 size.
    hidden: width of the embedding that modulates it.
    textures: learnt textures of each jaw, mixed by what the portrait shows.
    texture_channels: of each.
  """

  height: int = 64
  width: int = 80
  widths: tuple[int, ...] = (16, 40, 64, 96)
  hidden: int = 96
  textures: int = 4
  texture_channels: int = 8


class MouthPainter(nn.Module):
  """Paints the mouth into a made frame.

  The call takes the portrait and the generator's `warped` and `residual`
  [B, H, H, 3], and keypoints [B, K, 3] in both pictures. It returns `image`,
  `residual` (the generator's outside the window, its own inside), `paint`
  [B, H, H, 3] and `inside` [B, H, H, 1]: how much of the paint covers the
  warped portrait.
  """

  cfg: MouthConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    image: jax.Array,
    warped: jax.Array,
    residual: jax.Array,
    kp_source: jax.Array,
    kp_driving: jax.Array,
  ) -> dict[str, jax.Array]:
    size = (self.cfg.height, self.cfg.width)
    window = face_window.place(kp_driving, mouth_window.LIPS)
    own = face_window.place(kp_source, mouth_window.LIPS)
    jaws = mouth_window.jaws(kp_source, kp_driving, window)
    pictures = [face_window.sample(warped, window, *size)]
    pictures += [face_window.sample(image, jaw, *size) for jaw in jaws]
    points = window.inverse()(kp_driving[..., :2])
    own_points = own.inverse()(kp_source[..., :2])
    textures = [
      mouth_window.in_texture(jaw, own, own_points, i)
      for i, jaw in enumerate(jaws)
    ]
    net = MouthNet(self.cfg, self.dtype, name='net')
    painted = net(pictures, points, own_points, textures)
    return _paste(painted, window, points, warped, residual, size)


def inside_mask(
  kp_driving: jax.Array, side: int, cfg: MouthConfig
) -> jax.Array:
  """`inside` of a square picture of any size.

  Args:
    kp_driving: [B, K, 3].
    side: of the picture, pixels.
    cfg: the painter's.

  Returns:
    [B, side, side, 1].
  """
  window = face_window.place(kp_driving, mouth_window.LIPS)
  points = window.inverse()(kp_driving[..., :2])
  axis = (2.0 * jnp.arange(side) + 1.0) / side - 1.0
  grid = jnp.stack(jnp.meshgrid(axis, axis), -1).reshape(-1, 2)
  position = window.inverse()(grid)
  soft = face_window.soft_edge(position, cfg.height, cfg.width)
  return (soft * mouth_window.inside_lips(points, position)).reshape(
    -1, side, side, 1
  )


class MouthNet(nn.Module):
  """The U-Net on a window: paint and residual [B, h, w, 6]."""

  cfg: MouthConfig
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self,
    pictures: list[jax.Array],
    points: jax.Array,
    own_points: jax.Array,
    textures: list[Affine],
  ) -> jax.Array:
    cfg, dtype = self.cfg, self.dtype
    seen = self._pooled([p - 0.5 for p in pictures])
    z = mouth_window.keypoint_vector(points, own_points)
    z = nn.silu(nn.Dense(cfg.hidden, name='embed1')(z))
    z = jnp.concatenate([z, seen], -1)
    z = nn.silu(nn.Dense(cfg.hidden, name='embed2')(z))
    layers = [p - 0.5 for p in pictures] + [self._lip_channels(points)]
    for name, at in zip(('upper', 'lower'), textures, strict=True):
      layers.append(self._texture(name, seen, at))
    x = jnp.concatenate(layers, -1).astype(dtype)
    x = jnp.pad(x, [(0, 0)] * 3 + [(0, -x.shape[-1] % 8)])
    out = self._unet(x, z).astype(jnp.float32)
    # Exposure and tint are the face's own; a sigmoid here would die early.
    mean = pictures[0].mean((1, 2), keepdims=True)
    paint = mean * (0.6 + out[..., 3:])
    residual = (mean + 0.1) * out[..., :3]
    hue = _hue(pictures[0])
    paint, residual = (_tinted(x, hue) for x in (paint, residual))
    return jnp.concatenate([paint, residual], -1)

  def _pooled(self, pictures: list[jax.Array]) -> jax.Array:
    """What the portrait says about the person: colours of mouth and skin."""
    h, w = self.cfg.height, self.cfg.width
    x = jnp.concatenate(pictures, -1)[:, h // 8 : -h // 8]
    x = x[:, :, 3 * w // 20 : -3 * w // 20]
    b, h, w, c = x.shape
    x = x.reshape(b, 6, h // 6, 7, w // 7, c).mean((2, 4)).reshape(b, -1)
    return nn.silu(nn.Dense(self.cfg.hidden // 2, name='pooled')(x))

  def _lip_channels(self, points: jax.Array) -> jax.Array:
    """[B, h, w, 6]: distances to the lip curves, and the position."""
    h, w = self.cfg.height, self.cfg.width
    grid = face_window.window_grid(h, w)[None]
    distance = jnp.tanh(mouth_window.lip_distances(points, grid) / 5.0)
    position = jnp.broadcast_to(grid / 24.0, (len(points), *grid.shape[1:]))
    return jnp.concatenate([distance, position], -1).reshape(-1, h, w, 6)

  def _texture(self, name: str, seen: jax.Array, at: Affine) -> jax.Array:
    """[B, h, w, C] of a jaw's learnt textures, mixed for this person."""
    cfg = self.cfg
    shape = (cfg.textures, 24, 48, cfg.texture_channels)
    init = nn.initializers.normal(0.1)
    textures = 4.0 * self.param(f'texture_{name}', init, shape)
    mix = nn.softmax(2.0 * nn.Dense(cfg.textures, name=f'mix_{name}')(seen))
    texture = jnp.einsum('bk,kijc->bijc', mix, textures)
    grid = at(face_window.window_grid(cfg.height, cfg.width))
    return grid_sample(texture, grid).reshape(
      -1, cfg.height, cfg.width, cfg.texture_channels
    )

  def _unet(self, full: jax.Array, z: jax.Array) -> jax.Array:
    w0, w1, w2, w3 = self.cfg.widths

    def conv(name: str, x: jax.Array, width: int, kernel=3, stride=1):
      return Conv(width, kernel, stride, dtype=self.dtype, name=name)(x)

    def film(name: str, x: jax.Array) -> jax.Array:
      init = nn.initializers.normal(0.02)
      scale = nn.Dense(2 * x.shape[-1], kernel_init=init, name=f'film_{name}')(
        z
      )
      scale, shift = jnp.split(scale[:, None, None].astype(x.dtype), 2, -1)
      return x * (1 + scale) + shift

    def block(name: str, x: jax.Array, width: int) -> jax.Array:
      return leaky_relu(film(name, conv(name, x, width)))

    def up(name: str, x: jax.Array, skip: jax.Array, width: int) -> jax.Array:
      x = bilinear_upsample(conv(f'{name}_in', x, width, 1), 2)
      return jnp.concatenate([x, skip], -1)

    x1 = leaky_relu(conv('in', pixel_unshuffle(full, 2), w1))
    x1 = x1 + block('down1', x1, w1)
    x2 = leaky_relu(group_norm(conv('half1', x1, w2, 3, 2)))
    x2 = x2 + block('down2', x2, w2)
    x = leaky_relu(group_norm(conv('half2', x2, w3, 3, 2)))
    x = x + block('down3', x, w3)
    x = x + leaky_relu(group_norm(film('middle', conv('middle', x, w3))))
    x = block('up2', up('up2', x, x2, w2), w2)
    x = block('up1', up('up1', x, x1, w1), w1)
    x = x + leaky_relu(conv('refine1', x, w1))
    x = leaky_relu(conv('up0', up('up0', x, full, w0), w0))
    x = x + leaky_relu(conv('refine0', x, w0))
    init = nn.initializers.normal(0.02)
    return Conv(6, kernel_init=init, dtype=self.dtype, name='out')(x)


def _hue(picture: jax.Array) -> jax.Array:
  """[B, 1, 1, 1]: 0 for a picture in grey, 1 from usual skin on."""
  colour = picture.max(-1, keepdims=True) - picture.min(-1, keepdims=True)
  return jnp.clip(colour.mean((1, 2), keepdims=True) / _SKIN_COLOUR, 0.0, 1.0)


def _tinted(picture: jax.Array, hue: jax.Array) -> jax.Array:
  """So much of its colour: no pink gums in a drawing."""
  grey = picture.mean(-1, keepdims=True)
  return grey + hue * (picture - grey)


def _paste(
  painted: jax.Array,
  window: Affine,
  points: jax.Array,
  warped: jax.Array,
  residual: jax.Array,
  size: tuple[int, int],
) -> dict[str, jax.Array]:
  """Puts a painted window into the frame; computes its surroundings alone."""
  side = warped.shape[1]
  height, width = 7 * side // 16, side // 2
  corner = (window.offset[:, ::-1] + 1) * (side / 2)
  corner -= jnp.array([height / 2, width / 2])
  limit = jnp.array([side - height, side - width])
  corner = jnp.clip(corner, 0, limit).astype(jnp.int32)

  def view(whole: jax.Array) -> jax.Array:
    shape = (height, width, whole.shape[-1])
    return jax.vmap(lambda x, at: jax.lax.dynamic_slice(x, (*at, 0), shape))(
      whole, corner
    )

  def put(whole: jax.Array, part: jax.Array) -> jax.Array:
    return jax.vmap(
      lambda x, part, at: jax.lax.dynamic_update_slice(x, part, (*at, 0))
    )(whole, part, corner)

  grid = jnp.stack(jnp.meshgrid(jnp.arange(width), jnp.arange(height)), -1)
  grid = grid.reshape(1, -1, 2) + corner[:, None, ::-1]
  position = window.inverse()((2.0 * grid + 1.0) / side - 1.0)
  soft = face_window.soft_edge(position, *size)
  values = face_window.spread_out(painted, position)
  layers = [
    *jnp.split(values, 2, -1),
    soft * mouth_window.inside_lips(points, position),
    soft,
  ]
  layers = [x.reshape(-1, height, width, x.shape[-1]) for x in layers]
  paint, own, inside, soft = layers
  near, old = view(warped), view(residual)
  new = old + soft * (own - old) + inside * (paint - near)
  return {
    'image': put(warped + residual, near + new),
    'residual': put(residual, new),
    'paint': put(jnp.zeros_like(warped), paint),
    'inside': put(jnp.zeros_like(warped[..., :1]), inside),
  }
