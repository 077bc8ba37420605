"""Blinks: when they are, how far the lids close, and the line of the lashes.

In: curves of lid openings [T], NaN where no face was found, and pictures with
MediaPipe's landmarks. Out: frame numbers and floats.
"""

import cv2
import numpy as np

from takin_jax.eval.metrics import figures

# The lids close below the first share of their usual opening, and open above
# the second.
_CLOSED, _OPEN = 0.5, 0.75
_CORNERS = ((33, 133), (362, 263))  # left and right in the picture
_PATCH = (32, 24)  # samples along and across an eye
_ACROSS = 0.35  # of an eye's width, to either side of the corners
_MIDDLE = slice(8, 24)  # samples along the eye that count
_ENDS = 6  # samples of skin above and below


def usual_opening(lids: np.ndarray) -> float:
  """The 80th percentile of what is known of a curve; NaN if nothing is."""
  known = lids[np.isfinite(lids)]
  return float(np.percentile(known, 80)) if len(known) else float('nan')


def closures(lids: np.ndarray) -> list[int]:
  """The most closed frame of every blink.

  A blink is counted when the lids close below half of their usual opening, and
  again only after they opened above three quarters.
  """
  usual, out, within = usual_opening(lids), [], False
  for frame, opening in enumerate(lids):
    if opening < _CLOSED * usual and not within:
      out, within = [*out, frame], True
    elif within and opening < lids[out[-1]]:
      out[-1] = frame
    within = within and not opening > _OPEN * usual
  return out


def depth(lids: np.ndarray, frames: list[int], reach: int = 2) -> np.ndarray:
  """How far the lids close at some frames, or up to `reach` beside them.

  Returns:
    [N] 1 - opening over the usual one: 1 is shut.
  """
  usual = usual_opening(lids)
  parts = [lids[max(i - reach, 0) : i + reach + 1] for i in frames]
  shut = [np.min(p[np.isfinite(p)], initial=np.inf) for p in parts]
  shut = np.where(np.isfinite(shut), shut, np.nan)
  return 1 - shut / usual if len(frames) else np.zeros(0)


def lash_contrast(image: np.ndarray, landmarks: np.ndarray) -> float:
  """How dark the line between closed lids is against the skin around it.

  The luma of a strip across each eye, averaged along the middle of the eye:
  skin (the mean of both ends) minus the darkest place, over the skin.

  Args:
    image: [H, H, 3] uint8 RGB.
    landmarks: [478, 3] in units of the picture.
  """
  if not np.isfinite(landmarks).all():
    return float('nan')
  grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
  out = []
  for corners in _CORNERS:
    a, b = landmarks[list(corners), :2] * len(image)
    axis = b - a
    across = np.array([-axis[1], axis[0]])
    along = np.linspace(0, 1, _PATCH[0])
    aside = np.linspace(-_ACROSS, _ACROSS, _PATCH[1])
    places = a + along[None, :, None] * axis + aside[:, None, None] * across
    strip = cv2.remap(
      grey,
      places.astype(np.float32),
      None,
      cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
    profile = strip[:, _MIDDLE].mean(1)
    skin = (profile[:_ENDS].mean() + profile[-_ENDS:].mean()) / 2
    out.append(figures.ratio(skin - profile.min(), skin))
  return float(np.mean(out))
