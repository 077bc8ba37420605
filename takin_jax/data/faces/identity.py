"""Face recognition, for the similarity to the portrait (CSIM).

In: frames and their landmarks. Out: unit vectors whose dot product is the
cosine similarity. The net is the user's own ONNX file; OpenCV runs it.
"""

from pathlib import Path

import cv2
import numpy as np
from skimage.transform import SimilarityTransform

_SIDE_PX = 112
# MediaPipe's points for both eyes, nose tip, mouth corners, and where ArcFace
# (arXiv 1801.07698) puts them in a picture of 112 px.
_POINTS = [468, 473, 4, 61, 291]
_TEMPLATE = np.array(
  [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
  ],
  np.float32,
)


class FaceNet:
  """A recognition net for aligned RGB faces of 112 px, (x - 127.5) / 128.

  Args:
    path: ONNX file.
  """

  def __init__(self, path: str | Path):
    self._net = cv2.dnn.readNetFromONNX(str(path))

  def __call__(self, images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Recognises faces.

    Args:
      images: [N, H, H, 3] uint8.
      landmarks: [N, 478, 3] in units of the frame; NaN: no face.

    Returns:
      [N, E] unit vectors; NaN where there is no face.
    """
    rows = [self._one(*pair) for pair in zip(images, landmarks, strict=True)]
    size = next((len(row) for row in rows if row is not None), 1)
    return np.stack(
      [np.full(size, np.nan) if row is None else row for row in rows]
    )

  def _one(self, image: np.ndarray, points: np.ndarray) -> np.ndarray | None:
    if not np.isfinite(points).all():
      return None
    places = points[_POINTS, :2] * len(image)
    move = SimilarityTransform.from_estimate(places, _TEMPLATE).params[:2]
    face = cv2.warpAffine(image, move, (_SIDE_PX, _SIDE_PX))
    self._net.setInput(cv2.dnn.blobFromImage(face, 1 / 128, mean=(127.5,) * 3))
    vector = self._net.forward()[0].astype(np.float64)
    return vector / np.linalg.norm(vector)


def open_face_net(path: str | None) -> tuple[FaceNet | None, str | None]:
  """The net, or why there is none."""
  if path is None:
    return None, 'give a face recognition net with --face-net'
  if not Path(path).is_file():
    return None, f'{path} is not a file'
  try:
    return FaceNet(path), None
  except cv2.error as error:
    return None, f'OpenCV cannot read {path}: {error}'
