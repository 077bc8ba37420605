"""Small MLPs that correct driving keypoints: stitching, lips, eyes.

In: keypoints [B, K, 3]. Out: corrected driving keypoints. Stitching makes the
border of the animated crop stay where it is; the retargeting networks open and
close mouth and eyes. Source: LivePortrait (arXiv 2407.03168), section 3.3.
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.shapes import check_shape


@dataclass(frozen=True)
class StitchingConfig:
  """Sizes of the three networks; defaults are LivePortrait's.

  Attributes:
    num_kp: K, keypoints.
    stitching: hidden widths of the stitching network.
    lip: hidden widths of the lip network.
    eye: hidden widths of the eye network.
  """

  num_kp: int = 21
  stitching: tuple[int, ...] = (128, 128, 64)
  lip: tuple[int, ...] = (128, 128, 64)
  eye: tuple[int, ...] = (256, 256, 128, 128, 64)


class Mlp(nn.Module):
  """Dense layers with ReLU between them: [B, I] -> [B, widths[-1]]."""

  widths: tuple[int, ...]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    for i, width in enumerate(self.widths):
      x = nn.Dense(width, name=f'dense{i}')(nn.relu(x) if i else x)
    return x


class Stitching(nn.Module):
  """The three networks; call the methods. Always float32."""

  cfg: StitchingConfig

  def setup(self):
    cfg, size = self.cfg, 3 * self.cfg.num_kp
    self.stitching = Mlp((*cfg.stitching, size + 2))
    self.lip = Mlp((*cfg.lip, size))
    self.eye = Mlp((*cfg.eye, size))

  def __call__(self, kp_source: jax.Array, kp_driving: jax.Array) -> jax.Array:
    """Driving keypoints [B, K, 3] that keep the crop's border in place."""
    sizes = check_shape(kp_source, 'B K 3', K=self.cfg.num_kp)
    check_shape(kp_driving, 'B K 3', **sizes)
    b, size = sizes['B'], 3 * self.cfg.num_kp
    pair = jnp.concatenate([kp_source, kp_driving], 1).reshape(b, -1)
    delta = self.stitching(pair)
    shift = jnp.pad(delta[:, size:], ((0, 0), (0, 1)))[:, None]
    return kp_driving + delta[:, :size].reshape(b, -1, 3) + shift

  def open_lips(self, kp_source: jax.Array, ratios: jax.Array) -> jax.Array:
    """Offsets [B, K, 3] for lip ratios [B, 2]: the source's, the wanted."""
    check_shape(ratios, 'B 2')
    return self._offset(self.lip, kp_source, ratios)

  def open_eyes(self, kp_source: jax.Array, ratios: jax.Array) -> jax.Array:
    """Offsets [B, K, 3] for eye ratios [B, 3]: the source's two, the wanted."""
    check_shape(ratios, 'B 3')
    return self._offset(self.eye, kp_source, ratios)

  def all(self, kp: jax.Array) -> jax.Array:
    """Calls every network once, to initialise them: kp [B, K, 3]."""
    ratios = jnp.zeros((kp.shape[0], 3), kp.dtype)
    lips, eyes = self.open_lips(kp, ratios[:, :2]), self.open_eyes(kp, ratios)
    return self(kp, kp) + lips + eyes

  def _offset(self, mlp: Mlp, kp: jax.Array, ratios: jax.Array) -> jax.Array:
    x = jnp.concatenate([kp.reshape(kp.shape[0], -1), ratios], -1)
    return mlp(x).reshape(kp.shape)
