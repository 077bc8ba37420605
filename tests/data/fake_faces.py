"""A landmarker for tests, and videos that it understands."""

import contextlib

import cv2
import numpy as np

from takin_jax.data import faces, media
from takin_jax.data.faces import geometry


class FakeLandmarker:
  """Sees a face in every bright patch; the redder, the more turned."""

  blendshape_names = [f'shape{k}' for k in range(52)]

  def detect(self, image, time_ms=0):
    bright = (image.mean(-1) > 128).astype(np.uint8)
    patches = cv2.connectedComponentsWithStats(bright)[2][1:]
    patches = sorted(patches[patches[:, 4] > 20], key=lambda p: -p[4])
    if not patches:
      return None
    x, y, width, height, area = patches[0]
    size = image.shape[1::-1]
    points = np.tile([[x, y, 0.0]], (478, 1))
    points[1] = x + width, y + height, 0
    points[:, :2] /= size
    inside = image[y + height // 2, x + width // 2].astype(float)
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = geometry.rotation_matrix([0, inside[0] - inside[2], 0])
    second = np.sqrt(patches[1][4] / area) if len(patches) > 1 else 0.0
    shapes = np.full(52, 0.5)
    return faces.Face(points, shapes, pose, len(patches), second)


@contextlib.contextmanager
def landmarker(path=None, tracking=False):
  """Takes the place of `faces.landmarker`."""
  yield FakeLandmarker()


def scene(frames=40, x=60, background=40, width=160):
  """A bright square of 30 px on a dark ground, moving slowly."""
  images = np.full((frames, 120, width, 3), background, np.uint8)
  for k, image in enumerate(images):
    left = x + k // 8
    image[50:80, left : left + 30] = 220
  return images


def write_video(path, images, sound=None):
  """Encodes a video; sound is at 16 kHz."""
  with media.VideoWriter(path, rate=sound is not None and 16_000) as video:
    for image in images:
      video.write(image)
    if sound is not None:
      video.write_audio(sound)
  return path
