"""Computes once what the frozen networks say about the records of stage 2.

  python -m takin_jax.train.audio.extract --records records --out cache \
    --speech runs/speech --motion runs/motion

`--speech`: the encoder's states of every window of speech of the train
people, so that training need not listen. `--motion`: canonical keypoints and
motion of every frame by the extractor, in place of the landmarks' geometry.
Point `data.cache` of stage 2 at the folder. A run that was stopped goes on
where it was; `--shard 0/4` ... `--shard 3/4` share the work.
"""

import argparse
from collections.abc import Callable, Sequence
import dataclasses
import io
import os
from pathlib import Path
import re
import sys
from typing import Any

from array_record.python import array_record_module
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import tqdm

from takin_jax import audio_to_motion, compilation, renderer
from takin_jax.cli.errors import command
from takin_jax.data import records
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.records import motion_cache
from takin_jax.data.speech import recordings
from takin_jax.errors import InputError
from takin_jax.train import init_from

Params = dict[str, Any]
Batched = Callable[[np.ndarray], Any]


@dataclasses.dataclass(frozen=True)
class ExtractConfig:
  """What to compute.

  Attributes:
    records: folder of records.
    out: folder of the cache, made or completed.
    speech: run or weights folder with the group `speech`; '': no states.
    motion: run or weights folder with the group `motion`; '': no latents.
    window: frames per window, `diffusion.window` of the stage to train.
    hop: frames from window to window. Fewer: more starting points, and that
      much more disk.
    batch_size: windows or pictures at a time.
    shard: (number, count): does every count-th clip.
  """

  records: str
  out: str
  speech: str = ''
  motion: str = ''
  window: int = 125
  hop: int = 25
  batch_size: int = 8
  shard: tuple[int, int] = (0, 1)


def open_group(path: str, group: str) -> tuple[ConfigDict, Params]:
  """Model block and parameters of one group of a run or weights folder.

  Raises:
    InputError: if there is no such folder or group.
  """
  config, params = init_from.load(path)
  if group not in params:
    raise InputError(f'{path} has no parameter group {group!r}.')
  return config.model, {group: params[group]}


def extract(cfg: ExtractConfig) -> int:
  """Fills a cache.

  Returns:
    How many clips were done now; those that were there are left alone.

  Raises:
    InputError: for folders that cannot be used, or a cache of other settings.
  """
  if not cfg.speech and not cfg.motion:
    raise InputError('There is nothing to extract: give --speech or --motion.')
  hear, facts = _listener(cfg)
  look, size_px = _looker(cfg)
  paths = records.clip_paths(cfg.records)
  talking = {
    clip.id: clip
    for clip in (motion_clips.load_clips(cfg.records) if hear else ())
    if clip.speech
  }
  _agree(Path(cfg.out), facts)
  number, count = cfg.shard
  done = 0
  for path in tqdm.tqdm(paths[number::count], unit='clip'):
    name = path.name.removesuffix(records.SUFFIX)
    out = motion_cache.clip_path(cfg.out, name)
    if out.is_file():
      continue
    head, states = {'starts': np.zeros(0, np.int32)}, ()
    if name in talking:
      clip = talking[name]
      frames = max(len(clip.motion) - cfg.window // 2, 1)
      head['starts'] = np.arange(0, frames, cfg.hop, dtype=np.int32)
      states = _states(clip, head['starts'], cfg, hear)
    if look:
      head |= _latents(path, size_px, cfg.batch_size, look)
    _write(out, head, states)
    done += 1
  return done


def _listener(
  cfg: ExtractConfig,
) -> tuple[Batched | None, motion_cache.CacheFacts]:
  """Waves [B, S] -> states [B, L + 1, 2T, E] float16, and the facts."""
  given = {'speech': cfg.speech, 'motion': cfg.motion}
  facts = motion_cache.CacheFacts(
    cfg.window, (), {}, bool(cfg.motion), {k: v for k, v in given.items() if v}
  )
  if not cfg.speech:
    return None, facts
  model, params = open_group(cfg.speech, 'speech')
  params = jax.device_put(params)

  @jax.jit
  def hear(wave: jax.Array) -> jax.Array:
    states = audio_to_motion.encode_speech(model, params, wave)
    return jnp.moveaxis(states, 0, 1).astype(jnp.float16)

  wave = jnp.zeros((1, recordings.sample_count(2 * cfg.window)))
  shape = jax.eval_shape(hear, wave).shape[1:]
  block = model.speech.to_dict()
  return hear, dataclasses.replace(facts, states=shape, speech=block)


def _looker(cfg: ExtractConfig) -> tuple[Batched | None, int]:
  """Pictures uint8 [B, S, S, 3] -> motion by name, and the side S."""
  if not cfg.motion:
    return None, 0
  model, params = open_group(cfg.motion, 'motion')
  params = jax.device_put(params)

  @jax.jit
  def look(image: jax.Array) -> dict[str, jax.Array]:
    image = renderer.to_float(image)
    kp, motion = renderer.extract_motion(model, params, image)
    out = {'kp': kp, 'exp': motion.exp, 'scale': motion.scale}
    return out | {'t': motion.t.at[:, 2].set(0.0), 'pose': motion.pose_deg}

  return look, model.motion.get('input_size', 256)


def _agree(out: Path, facts: motion_cache.CacheFacts) -> None:
  """Writes the facts of a new cache; those of an old one must be the same."""
  path = out / motion_cache.FACTS_FILE
  if not path.exists():
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, facts.to_json().encode())
  elif path.read_text() != facts.to_json():
    raise InputError(
      f'{out} was made with other settings, see {path}; choose another folder.'
    )


def _batched(run: Batched, values: np.ndarray, size: int) -> Any:
  """Runs on batches of one size, so that it compiles once."""
  parts = []
  for i in range(0, len(values), size):
    index = np.minimum(np.arange(i, i + size), len(values) - 1)
    out = jax.device_get(run(values[index]))
    parts.append(jax.tree.map(lambda x, i=i: x[: len(values) - i], out))
  return jax.tree.map(lambda *x: np.concatenate(x), *parts)


def _states(
  clip: motion_clips.MotionClip,
  starts: np.ndarray,
  cfg: ExtractConfig,
  hear: Batched,
) -> np.ndarray:
  """[W, L + 1, 2T, E] float16."""
  samples = recordings.sample_count(2 * cfg.window)
  waves = [motion_windows.sound(clip, int(s), samples, 1.0) for s in starts]
  states = _batched(hear, np.stack(waves), cfg.batch_size)
  if not np.isfinite(states).all():
    raise InputError(f'The states of {clip.id} are too large for float16.')
  return states


def _latents(
  path: Path, size_px: int, batch_size: int, look: Batched
) -> dict[str, np.ndarray]:
  """Keypoints and motion of all frames of a clip, [T, ...] each."""
  length = len(records.read_head(path).found)
  frames = records.Frames([path], [length], size_px)
  images = [
    np.stack([frames(0, t) for t in range(i, min(i + 256, length))])
    for i in range(0, length, 256)
  ]
  parts = [_batched(look, x, batch_size) for x in images]
  return jax.tree.map(lambda *x: np.concatenate(x), *parts)


def _write(path: Path, head: dict[str, np.ndarray], states: Any) -> None:
  """Writes one clip; a file with its name is whole."""
  path.parent.mkdir(parents=True, exist_ok=True)
  buffer = io.BytesIO()
  np.savez(buffer, **head)
  draft = path.with_name(f'{path.name}.{os.getpid()}.part')
  writer = array_record_module.ArrayRecordWriter(str(draft), 'group_size:1')
  for record in (buffer.getvalue(), *(window.tobytes() for window in states)):
    writer.write(record)
  writer.close()
  os.replace(draft, path)


def _replace(path: Path, data: bytes) -> None:
  draft = path.with_name(f'{path.name}.{os.getpid()}.part')
  draft.write_bytes(data)
  os.replace(draft, path)


@command('takin_jax.train.audio.extract')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Fills a cache for stage 2.')
  add = parser.add_argument
  add('--records', required=True, metavar='DIR')
  add('--out', required=True, metavar='DIR')
  add('--speech', default='', metavar='RUN|DIR|NAME')
  add('--motion', default='', metavar='RUN|DIR|NAME')
  add('--window', type=int, default=125, help='frames')
  add('--hop', type=int, default=25, help='frames from window to window')
  add('--batch-size', type=int, default=8)
  add('--shard', default='0/1', metavar='K/N', help='every N-th clip from K')
  args = vars(parser.parse_args(argv))
  shard = re.fullmatch(r'(\d+)/(\d+)', args.pop('shard'))
  number, count = map(int, shard.groups()) if shard else (0, 0)
  if number >= count:
    raise InputError('--shard is K/N with K from 0 to N - 1, such as 0/4.')
  if min(args['window'], args['hop'], args['batch_size']) < 1:
    raise InputError('--window, --hop and --batch-size are at least 1.')
  compilation.enable_cache()
  done = extract(ExtractConfig(**args, shard=(number, count)))
  print(f'{args["out"]}: {done} clips done now.')
  return 0


if __name__ == '__main__':
  sys.exit(main())
