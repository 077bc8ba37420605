"""Finding faces: boxes, landmarks and the square crop that the models see.

In: RGB uint8 pictures. Out: a CropBox and crops; with MediaPipe (extra `data`)
landmarks, blendshapes and head pose.
"""

from takin_jax.data.faces.cascade import detect_boxes
from takin_jax.data.faces.crop import (
  CROP_RAISE,
  CROP_SCALE,
  CropBox,
  clamp_crop,
  crop_around,
  crop_image,
  moved_inside,
)
from takin_jax.data.faces.find import find_crop, find_faces
from takin_jax.data.faces.landmarks import (
  Face,
  Landmarker,
  landmark_box,
  landmarker,
)
from takin_jax.data.faces.track import Track, track_face

__all__ = [
  'CROP_RAISE',
  'CROP_SCALE',
  'CropBox',
  'Face',
  'Landmarker',
  'Track',
  'clamp_crop',
  'crop_around',
  'crop_image',
  'detect_boxes',
  'find_crop',
  'find_faces',
  'landmark_box',
  'landmarker',
  'moved_inside',
  'track_face',
]
