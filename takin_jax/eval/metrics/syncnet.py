"""LSE-D and LSE-C: do lips and sound belong together, by SyncNet's opinion?

In: frames, their faces and the sound; the user's own SyncNet as two ONNX files.
Out: distance, confidence and offset.
Source: Chung and Zisserman, Out of time (ACCV 2016 workshop), in the form of
Wav2Lip's evaluation (arXiv 2008.10010). Deviation: the face is cropped by the
box of MediaPipe's landmarks, not by S3FD's, so that values come close to
published ones but are not the same.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import median_filter

from takin_jax.eval.judge import Readings
from takin_jax.eval.metrics import onnx_net
from takin_jax.eval.metrics.mfcc import mfcc
from takin_jax.face import SAMPLES_PER_FRAME

_SIDE_PX, _FRAMES, _STEPS = 224, 5, 20  # of one look: 0.2 s
_STEPS_PER_FRAME = 4
_MARGIN = 0.4  # around the box of the face, of half its side
_REACH = 15  # frames that the sound is shifted either way
_SMOOTH = 13  # frames of the median over boxes
_EPSILON = 1e-6  # PyTorch's pairwise_distance adds it


class SyncNet:
  """The pair of networks.

  Args:
    face: [1, 3, 5, 224, 224] float32 BGR in [0, 255] -> [1, E].
    audio: [1, 1, 13, 20] float32, see `mfcc` -> [1, E].
  """

  def __init__(self, face: onnx_net.Session, audio: onnx_net.Session):
    self._face, self._audio = face, audio

  def __call__(
    self, images: Sequence[np.ndarray], seen: Readings, sound: np.ndarray
  ) -> dict[str, float]:
    """Judges T frames at 25 a second.

    Args:
      images: T of [H, H, 3] uint8 RGB.
      seen: their faces.
      sound: [S] float32 at 16 kHz, beginning with the first frame.

    Returns:
      See `sync_error`; NaN if a face is nowhere found or all is too short.
    """
    count = min(len(images), len(sound) // SAMPLES_PER_FRAME) - _FRAMES
    if count < 1 or not seen.found.any():
      return dict.fromkeys(('lse_d', 'lse_c', 'lse_offset'), float('nan'))
    crops, spectrum = face_crops(images, seen), mfcc(sound)
    looks = [crops[:, i : i + _FRAMES] for i in range(count)]
    starts = range(0, count * _STEPS_PER_FRAME, _STEPS_PER_FRAME)
    hears = [spectrum[i : i + _STEPS].T[None] for i in starts]
    face, audio = (
      np.stack([onnx_net.run(net, x[None]).reshape(-1) for x in inputs])
      for net, inputs in ((self._face, looks), (self._audio, hears))
    )
    return sync_error(face, audio)


def sync_error(face: np.ndarray, audio: np.ndarray) -> dict[str, float]:
  """Distance, confidence and offset of two series of embeddings.

  Args:
    face: [N, E].
    audio: [N, E] of the same times.

  Returns:
    `lse_d`: the smallest mean distance over offsets; `lse_c`: the median over
    offsets minus that; `lse_offset`: frames by which the lips are late then.
    Outside of the sound its embedding is zero, as in the public code.
  """
  padded = np.pad(audio, ((_REACH, _REACH), (0, 0)))
  distances = np.array(
    [
      np.linalg.norm(
        face - padded[shift : shift + len(face)] + _EPSILON, axis=-1
      ).mean()
      for shift in range(2 * _REACH + 1)
    ]
  )
  best = int(np.argmin(distances))
  return {
    'lse_d': float(distances[best]),
    'lse_c': float(np.median(distances) - distances[best]),
    'lse_offset': _REACH - best,
  }


def face_crops(images: Sequence[np.ndarray], seen: Readings) -> np.ndarray:
  """[3, T, 224, 224] float32 BGR: squares around the face, chin included.

  Frames without a face take the box of the nearest frame before, or after.
  """
  xy = seen.landmarks[..., :2] * len(images[0])
  low, high = xy.min(1), xy.max(1)
  boxes = np.concatenate(
    [(low + high) / 2, (high - low).max(-1)[:, None] / 2], 1
  )
  known = np.flatnonzero(seen.found)
  before = np.searchsorted(known, np.arange(len(boxes)), 'right') - 1
  boxes = boxes[known[np.maximum(before, 0)]]
  boxes = median_filter(boxes, (_SMOOTH, 1), mode='nearest')
  crops = [_crop(*pair) for pair in zip(images, boxes, strict=True)]
  return np.stack(crops, 1)


def _crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
  """[3, 224, 224] of a box: middle x and y, half the side."""
  x, y, half = box
  side = 2 * half * (1 + _MARGIN)
  scale = _SIDE_PX / side
  corner = np.array([x - side / 2, y - half])
  move = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
  move[:, 2] = -scale * corner
  face = cv2.warpAffine(
    image,
    move,
    (_SIDE_PX, _SIDE_PX),
    borderMode=cv2.BORDER_CONSTANT,
    borderValue=(110, 110, 110),
  )
  return face[..., ::-1].transpose(2, 0, 1).astype(np.float32)
