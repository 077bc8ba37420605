"""Frames moved to other frames of the same clip, in several ways."""

from collections.abc import Callable

import cv2
import jax
import numpy as np

from takin_jax import renderer
from takin_jax.eval.metrics import figures
from takin_jax.eval.protocols.candidate import Candidate
from takin_jax.ops.geometry import transform_keypoints

# Way -> name of its row; the last two are what the figures mean at their ends.
ROWS = {
  'own': 'own motion extractor',
  'teacher': 'landmarks for keypoints',
  'copy': 'copy of the source',
  'truth': 'ground truth itself',
}
GROUPS = ('appearance', 'motion', 'warping', 'generator')

Arrays = dict[str, np.ndarray]
Reenact = Callable[[str, Arrays], np.ndarray]


def reenactor(candidate: Candidate) -> Reenact:
  """Makes `f(key of ROWS, arrays of pairs) -> [N, H, W, 3] uint8`."""
  model = candidate.config.model
  groups = (*GROUPS, *renderer.OPTIONAL)
  params = {k: v for k, v in candidate.params.items() if k in groups}
  params = jax.device_put(params, candidate.engine.device)

  @jax.jit
  def own(params, source, driving):
    source, driving = map(renderer.to_float, (source, driving))
    encoded = renderer.encode_source(model, params, source)
    _, motion = renderer.extract_motion(model, params, driving)
    kp = transform_keypoints(encoded.kp, motion)
    return renderer.to_uint8(renderer.render(model, params, encoded, kp))

  @jax.jit
  def teacher(params, source, source_x, driving_x):
    source = renderer.to_float(source)
    features = renderer.encode_source(model, params, source).features
    frame = renderer.warp_and_generate(
      model, params, source, features, source_x, driving_x
    )
    return renderer.to_uint8(frame['image'])

  def reenact(way: str, pairs: Arrays) -> np.ndarray:
    if way in ('copy', 'truth'):
      return pairs['source' if way == 'copy' else 'driving']
    function, keys = {
      'own': (own, ('source', 'driving')),
      'teacher': (teacher, ('source', 'source_x', 'driving_x')),
    }[way]
    images = figures.in_batches(
      lambda *arrays: function(params, *arrays), *(pairs[k] for k in keys)
    )
    return np.stack([_fit(x, pairs['driving'].shape[1]) for x in images])

  return reenact


def _fit(image: np.ndarray, size_px: int) -> np.ndarray:
  """Frames larger than the clip's are reduced to it."""
  if len(image) == size_px:
    return image
  return cv2.resize(image, (size_px,) * 2, interpolation=cv2.INTER_AREA)
