"""What `self` measures of one clip: flat arrays, one number per frame.

Names: SET/WAY/FIGURE, see `reenact.ROWS` and the sets below.
"""

import numpy as np

from takin_jax.eval.judge import Judge, pack
from takin_jax.eval.metrics import face_metrics, figures
from takin_jax.eval.metrics.nets import Nets
from takin_jax.eval.protocols import self_frames
from takin_jax.eval.protocols.clips import Clip
from takin_jax.eval.protocols.reenact import ROWS, Reenact

LEAKS = ('lips', 'lids')
_SHOWN = ('driving', 'own', 'teacher')

Arrays = dict[str, np.ndarray]


def measure(
  clip: Clip,
  reenact: Reenact,
  judge: Judge,
  nets: Nets,
  count: int,
  consecutive: int,
) -> Arrays:
  """Makes the frames of a clip and looks at them.

  Args:
    clip: whose frames.
    reenact: of `reenactor`.
    judge: reads faces.
    nets: features of pictures.
    count: evenly spaced frames.
    consecutive: frames in a row.

  Returns:
    Sets `pairs` (far apart), `moves` (even and extreme), `run`
    (consecutive), `leak_lips` and `leak_lids`; and `sheet`, pictures.
  """
  moves = self_frames.judged_frames(clip, count)
  sets = {
    'pairs': self_frames.far_pairs(clip),
    'moves': moves,
    'run': self_frames.consecutive_frames(clip, consecutive),
    **{f'leak_{k}': self_frames.leak_pairs(clip, k) for k in LEAKS},
  }
  out = {}
  for name, frames in sets.items():
    for way in ROWS:
      made = reenact(way, frames)
      seen, prefix = judge(made), f'{name}/{way}/'
      measured = pack(seen)
      if name in ('pairs', 'moves'):
        measured |= picture_figures(
          made, frames['driving'], frames['driving_x']
        )
      if name == 'pairs':
        measured |= nets.features(made, seen)
        measured['sharp'] = face_metrics.sharpness(made, seen)
      out |= {prefix + key: value for key, value in measured.items()}
  out |= {f'moves/{key}': moves[key] for key in ('even', 'frame')}
  return out | {'sheet': _pictures(moves, reenact)}


def picture_figures(made: np.ndarray, truth: np.ndarray, x: np.ndarray):
  """How alike pictures and mouths are.

  Args:
    made: [N, H, H, 3] uint8.
    truth: the same.
    x: [N, K, 3] keypoints of the truth, for the mouths.

  Returns:
    [N] by name.
  """
  out = {}
  if figures.lpips_missing() is None:
    mouths = (figures.mouth_crops(images, x) for images in (made, truth))
    out['lpips'] = figures.lpips(made, truth)
    out['lpips_mouth'] = figures.lpips(*mouths)
  out['psnr'] = figures.psnr(made, truth)
  out['ssim'] = figures.ssim(made, truth)
  return out | {'l1': figures.l1(made, truth)}


def _pictures(frames: Arrays, reenact: Reenact) -> np.ndarray:
  """Source, and three pictures each of widest mouth and most closed eyes."""
  ends = [np.argmax(frames['lips']), np.argmin(frames['lids'])]
  shown = {key: value[ends] for key, value in frames.items()}
  made = {'driving': shown['driving']}
  made |= {way: reenact(way, shown) for way in _SHOWN[1:]}
  columns = [made[key][i] for i in range(len(ends)) for key in _SHOWN]
  return np.stack([shown['source'][0], *columns])
