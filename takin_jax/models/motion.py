"""Motion extractor M: portrait -> canonical keypoints and motion.

In: [B, H, W, 3] in [0, 1]. Out: canonical keypoints [B, K, 3] and a `Motion`.
Source: LivePortrait (arXiv 2407.03168): ConvNeXt V2 tiny with seven linear
heads; the defaults are its published sizes. The small option reads positions
off heat maps (a spatial softmax, as in Levine et al., arXiv 1504.00702), which
finds lips and lids within minutes of training where pooled features need days.
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Conv, ResBlock, group_norm, leaky_relu
from takin_jax.nn.convnext import ConvNeXtV2
from takin_jax.ops.grid_sample import center_axis
from takin_jax.ops.resize import avg_pool, nearest_upsample, pixel_unshuffle
from takin_jax.types import Motion


@dataclass(frozen=True)
class MotionConfig:
  """Sizes of the motion extractor; defaults are LivePortrait's.

  Attributes:
    input_size: side the picture is reduced to, pixels.
    num_kp: K, keypoints.
    num_bins: classes of 3 degrees per head angle.
    depths: ConvNeXt blocks per stage.
    dims: ConvNeXt width per stage.
    num_points: heat maps of the small backbone; 0: the ConvNeXt one.
    widths: widths of the small backbone at 1/2, 1/4, 1/8 and 1/16 size.
    hidden: width of the small backbone's dense layers.
  """

  input_size: int = 256
  num_kp: int = 21
  num_bins: int = 66
  depths: tuple[int, ...] = (3, 3, 9, 3)
  dims: tuple[int, ...] = (96, 192, 384, 768)
  num_points: int = 0
  widths: tuple[int, ...] = (24, 48, 96, 128)
  hidden: int = 256


def head_pose_degrees(logits: jax.Array) -> jax.Array:
  """Expected angle of 3-degree bins: 3 E[bin] - 97.5.

  Args:
    logits: [..., num_bins].

  Returns:
    [...] degrees, float32.
  """
  weights = nn.softmax(logits.astype(jnp.float32))
  return 3.0 * weights @ jnp.arange(logits.shape[-1], dtype=jnp.float32) - 97.5


class MotionExtractor(nn.Module):
  """M: picture -> (canonical keypoints [B, K, 3], Motion), float32."""

  cfg: MotionConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, train: bool = False
  ) -> tuple[jax.Array, Motion]:
    cfg = self.cfg
    x = avg_pool(image, image.shape[1] // cfg.input_size).astype(self.dtype)
    if cfg.num_points:
      x = PointBackbone(cfg, self.dtype, name='points')(x - 0.5)
      init = nn.initializers.normal(0.01)
    else:
      x = ConvNeXtV2(cfg.depths, cfg.dims, self.dtype, name='backbone')(x)
      init = nn.initializers.truncated_normal(0.02)
    x = x.astype(jnp.float32)

    def head(name: str, size: int, bias: float = 0.0) -> jax.Array:
      bias_init = nn.initializers.constant(bias)
      return nn.Dense(
        size, kernel_init=init, bias_init=bias_init, name=f'fc_{name}'
      )(x)

    shape = (-1, cfg.num_kp, 3)
    pose = [
      head_pose_degrees(head(name, cfg.num_bins))
      for name in ('pitch', 'yaw', 'roll')
    ]
    motion = Motion(
      exp=head('exp', 3 * cfg.num_kp).reshape(shape),
      scale=head('scale', 1, 1.0),
      t=head('t', 3),
      pose_deg=jnp.stack(pose, -1),
    )
    return head('kp', 3 * cfg.num_kp).reshape(shape), motion


class PointBackbone(nn.Module):
  """[B, S, S, 3] -> [B, hidden]: heat-map positions and pooled features.

  Sows `positions` [B, num_points, 2] in [-1, 1] into 'intermediates', so that
  a loss can tie the first of them to landmarks.
  """

  cfg: MotionConfig
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    cfg, dtype = self.cfg, self.dtype
    w2, w4, w8, w16 = cfg.widths

    def conv(name: str, features: int, kernel: int = 3, stride: int = 1):
      return Conv(features, kernel, stride, dtype=dtype, name=name)

    x = leaky_relu(conv('down2', w2)(pixel_unshuffle(x, 2)))
    quarter = ResBlock(w4, dtype=dtype, name='res4')(conv('down4', w4, 3, 2)(x))
    eighth = conv('down8', w8, 3, 2)(leaky_relu(quarter))
    for i in range(2):
      eighth = ResBlock(w8, dtype=dtype, name=f'res8_{i}')(eighth)
    x = conv('down16', w16, 3, 2)(leaky_relu(eighth))
    for i in range(2):
      x = ResBlock(w16, dtype=dtype, name=f'res16_{i}')(x)
    x = leaky_relu(group_norm(x))
    pooled = x.mean((1, 2))
    for name, skip in (('8', eighth), ('4', quarter)):
      x = conv(f'reduce{name}', w4, 1)(x)
      x = jnp.concatenate([nearest_upsample(x, 2), skip], -1)
      x = leaky_relu(group_norm(conv(f'up{name}', skip.shape[-1])(x)))
    logits = conv('heatmaps', cfg.num_points, 1)(x).astype(jnp.float32)
    positions = spatial_softmax(logits)
    self.sow('intermediates', 'positions', positions)
    x = positions.reshape(positions.shape[0], -1)
    x = jnp.concatenate([x, pooled.astype(jnp.float32)], -1)
    wide = nn.silu(nn.Dense(cfg.hidden, name='dense1')(x))
    wide = wide + nn.silu(nn.Dense(cfg.hidden, name='dense2')(wide))
    return jnp.concatenate([wide, x], -1)


def spatial_softmax(logits: jax.Array) -> jax.Array:
  """Expected position of each heat map: [B, H, W, P] -> [B, P, 2] (x, y)."""
  _, h, w, _ = logits.shape
  weights = nn.softmax(logits, axis=(1, 2))
  x = jnp.einsum('bhwp,w->bp', weights, center_axis(w))
  y = jnp.einsum('bhwp,h->bp', weights, center_axis(h))
  return jnp.stack([x, y], -1)
