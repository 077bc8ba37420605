"""One video of a clip's person speaking, held against the real clip."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from takin_jax.eval.cache import Arrays
from takin_jax.eval.judge import Readings, pack, unpack
from takin_jax.eval.metrics import face_metrics, figures
from takin_jax.eval.metrics.nets import Nets
from takin_jax.eval.report import Row
from takin_jax.face import FRAME_RATE_HZ

SETTLE_S = 0.5  # of the silence, until the mouth must be closed
REACH = 10  # frames that the lips may be early or late
_EVERY = 5  # frames between those whose pictures are compared
_SHOWN = (0.2, 0.4, 0.6, 0.8)


@dataclasses.dataclass(frozen=True)
class Take:
  """One output and how it agrees with the real clip.

  Attributes:
    seen: the output's faces: the clip's frames, then silence if `own`.
    curve: correlation with the real lips at every lag, see `lag_curve`.
    row: its figures.
  """

  seen: Readings
  curve: np.ndarray
  row: Row


def look(
  made: Sequence[np.ndarray],
  seen: Readings,
  real: Sequence[np.ndarray],
  rest: tuple[np.ndarray, Readings],
  sound: np.ndarray,
  nets: Nets,
) -> Arrays:
  """Everything that needs the pictures of a take.

  Args:
    made: [H, W, 3] uint8 each, at least as many as the real ones.
    seen: their faces.
    real: [T, H, W, 3].
    rest: the portrait and its face.
    sound: [S] float32 at 16 kHz, what is said.
    nets: features of pictures, and SyncNet.
  """
  some = np.arange(0, len(real), _EVERY)
  pictures, truth = (np.stack([x[i] for i in some]) for x in (made, real))
  faces = seen[some]
  out = pack(seen)
  out |= nets.features(pictures, faces)
  out['ssim'] = figures.ssim(pictures, truth)
  out['l1'] = figures.l1(pictures, truth)
  if figures.lpips_missing() is None:
    out['lpips'] = figures.lpips(pictures, truth)
  portrait, face = rest
  sharp = face_metrics.sharpness(portrait[None], face)
  made_sharp = face_metrics.sharpness(pictures, faces)
  out['sharpness'] = figures.ratio(made_sharp, sharp)
  if nets.face is not None:
    own = nets.face(portrait[None], face.landmarks)[0]
    out['csim'] = out.pop('face').astype(np.float64) @ own
  if nets.sync is not None:
    count = len(real)
    found = nets.sync(made[:count], seen[:count], sound)
    out |= {key: np.array([value]) for key, value in found.items()}
  shown = [int(f * len(real)) for f in _SHOWN]
  return out | {'pictures': np.stack([made[i] for i in shown])}


def take(real: Readings, found: Arrays, own: bool) -> Take:
  """The figures of a take that `look` saw."""
  out = compare(real, unpack(found), own)
  names = ('ssim', 'l1', 'lpips', 'sharpness', 'csim')
  names += ('lse_d', 'lse_c', 'lse_offset')
  row = {name: figures.mean(found[name]) for name in names if name in found}
  return dataclasses.replace(out, row=out.row | row)


def compare(real: Readings, seen: Readings, own: bool) -> Take:
  """Figures of the face in one take against the real clip of T frames."""
  count = len(real.lips)
  made = seen[:count]
  lips = figures.follow(real.lips, made.lips)
  silent = slice(count + round(SETTLE_S * FRAME_RATE_HZ), None)
  steady = face_metrics.jitter(real)
  row = {
    'lips_r': lips['r'],
    'lips_gain': lips['gain'],
    'head_std_deg': figures.head_motion(seen.pose_deg),
    'blinks_per_min': figures.blinks_per_minute(seen.lids),
    'jitter_ratio': float(figures.ratio(face_metrics.jitter(made), steady)),
    'open_speech': figures.mean(made.lips),
    'open_silence': figures.mean(seen.lips[silent]) if own else float('nan'),
    'found': float(seen.found.mean()),
  }
  return Take(seen, figures.lag_curve(real.lips, made.lips, REACH), row)


def mean_curve(takes: list[Take]) -> np.ndarray:
  """[2 * REACH + 1] mean lag curve."""
  curves = np.array([take.curve for take in takes])
  return np.array([figures.mean(column) for column in curves.T])


def summary(takes: list[Take]) -> dict[str, float | int | None]:
  """Means over takes, and the peak of their mean lag curve."""
  row = {
    key: figures.mean([take.row[key] for take in takes]) for key in takes[0].row
  }
  curve = mean_curve(takes)
  peak = figures.peak_lag(curve)
  at_peak = None if peak is None else float(curve[peak + REACH])
  lips = {key: row.pop(key) for key in ('lips_r', 'lips_gain')}
  return lips | {'offset_frames': peak, 'lips_peak_r': at_peak} | row
