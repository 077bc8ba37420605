"""Short videos with sound of what stage 2 has learnt, made on the way.

The renderer is a finished one, named by `eval.renderer`: a weights folder, a
run of stage 1, or weights that come with the package.
"""

from collections.abc import Mapping
import functools
import pathlib
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import renderer
from takin_jax.animation import retarget
from takin_jax.animation.controls import Controls
from takin_jax.data.batches import frame_pairs
from takin_jax.data.media import VideoWriter
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.train import init_from
from takin_jax.types import Motion, Source

_FRAMES = 25  # that are rendered at once


class TalkingVideos:
  """Puts motion on held-out faces.

  Args:
    config: of the run; its `eval.videos` says how many, 0 by default.
  """

  def __init__(self, config: ConfigDict):
    cfg = config.get('eval', {})
    self._count = cfg.get('videos', 0)
    self._name = cfg.get('renderer', 'nano')
    self._records = config.data.records

  def check(self) -> None:
    """Raises InputError if the renderer that is asked for is not there."""
    if self._count:
      init_from.check([self._name])

  @functools.cached_property
  def _stage1(self) -> tuple[Any, Any, Any, Any]:
    return _renderer(self._name)

  @functools.cached_property
  def _faces(self) -> np.ndarray:
    """uint8 [N, H, W, 3]: the first picture of every held-out clip."""
    size_px = self._stage1[0].image_size
    pairs = frame_pairs.eval_pairs(self._records, split='val', size_px=size_px)
    _, first = np.unique(pairs['clip'], return_index=True)
    return pairs['source'][first]

  def write(
    self,
    windows: Mapping[str, np.ndarray],
    motion: np.ndarray,
    path: pathlib.Path,
  ) -> None:
    """Writes PATH_0.mp4, PATH_1.mp4, ...

    Args:
      windows: have `wave` [N, S], float32 at 16 kHz.
      motion: [N, T, M] motion that goes with it, relative to a head at rest.
      path: of the files, without the number.
    """
    count = min(self._count, len(motion))
    if not count:
      return
    _, params, encode, render = self._stage1
    for i in range(count):
      face = renderer.to_float(self._faces[i % len(self._faces)])[None]
      source = encode(params, face)
      with VideoWriter(path.with_name(f'{path.name}_{i}.mp4')) as video:
        for start in range(0, len(motion[i]), _FRAMES):
          part = motion[i, start : start + _FRAMES]
          padded = np.resize(part, (_FRAMES, part.shape[-1]))
          for image in np.asarray(render(params, source, padded))[: len(part)]:
            video.write(image)
        video.write_audio(windows['wave'][i])


def _renderer(name: str) -> tuple[Any, Any, Any, Any]:
  """Model block, parameters, jitted encoder and renderer of stage 1."""
  config, params = init_from.load(name)
  model = config.model
  groups = (*renderer.MODULES, *renderer.OPTIONAL, renderer.STATS)
  params = {k: v for k, v in params.items() if k in groups}

  @jax.jit
  def render(params: Any, source: Source, vectors: jax.Array) -> jax.Array:
    """[T, M] relative motion -> uint8 [T, H, W, 3]."""
    predicted = Motion.from_vector(vectors)
    motion = retarget.speak(source.motion, predicted, Controls())

    def one(kp: jax.Array) -> jax.Array:
      return renderer.render(model, params, source, kp[None])[0]

    images = jax.lax.map(one, transform_keypoints(source.kp, motion))
    return renderer.to_uint8(images)

  encode = jax.jit(functools.partial(renderer.encode_source, model))
  return model, jax.device_put(params), encode, render
