"""Records as `takin_jax.data.prepare` writes them, without a face."""

import io
import json

from array_record.python import array_record_module
import cv2
import numpy as np

from takin_jax.data.faces import geometry

FRAMES = 12


def write_clip(
  folder,
  name,
  person,
  split='train',
  frames=FRAMES,
  seed=0,
  speech=False,
  emotion='-',
):
  """A clip with random landmarks, flat pictures and, for speech, noise."""
  rng = np.random.default_rng(seed)
  face = rng.uniform(0.3, 0.7, (478, 3)) * [1, 1, 0.1]
  landmarks = face + rng.normal(scale=0.01, size=(frames, 478, 3))
  turn = geometry.rotation_matrix(rng.normal(scale=10, size=(frames, 3)))
  pose = np.tile(np.eye(4), (frames, 1, 1))
  pose[:, :3, :3] = np.swapaxes(turn, -1, -2)
  found = np.ones(frames, bool)
  found[1] = False
  meta = dict(person=person, split=split, speech=speech, emotion=emotion)
  head = io.BytesIO()
  np.savez(
    head,
    audio=rng.normal(scale=500, size=640 * frames * speech).astype(np.int16),
    landmarks=landmarks.astype(np.float32),
    pose_matrix=pose.astype(np.float32),
    blendshapes=np.zeros((frames, 52), np.float32),
    found=found,
    meta=json.dumps(meta),
  )
  (folder / 'clips').mkdir(parents=True, exist_ok=True)
  path = folder / 'clips' / f'{name}.array_record'
  writer = array_record_module.ArrayRecordWriter(str(path), 'group_size:1')
  writer.write(head.getvalue())
  for t in range(frames):
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :16] = (200, 100, 5 * t)  # BGR: red tells the frame
    writer.write(cv2.imencode('.jpg', image)[1].tobytes())
  writer.close()
