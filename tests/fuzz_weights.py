"""Bad weights, configs, flags and checkpoints: what comes of each of them.

  python tests/fuzz_weights.py [KIND ...]

Every input is refused in one sentence or gives a right result; anything else
is printed. Nothing but this project's own small models is read or written.
"""

from collections import Counter
from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import io
import json
import os
from pathlib import Path
import signal
import struct
import sys
import tempfile
import time
import wave

import cv2
import numpy as np
from safetensors import numpy as safetensors

LIMIT_S = 60
NAN, INF, HUGE = float('nan'), float('inf'), 10**9


@dataclasses.dataclass(frozen=True)
class Case:
  """One input.

  Attributes:
    kind: of inputs.
    name: of this one.
    run: uses it; returns what is wrong with what came of it, '' if nothing.
  """

  kind: str
  name: str
  run: Callable[[], str]


class _HangsError(BaseException):
  """Goes through every `except Exception` and `except OSError`."""


def outcome(case: Case) -> tuple[str, float]:
  """What is wrong with a case, '' if nothing, and its seconds."""

  def late(*_: object) -> None:
    raise _HangsError(f'longer than {LIMIT_S} s')

  # Seconds of the processor, which do not count what others do.
  start_s, before = time.process_time(), signal.signal(signal.SIGPROF, late)
  signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
  try:
    wrong = case.run()
  except BaseException as error:  # whatever a user would see as a traceback
    if isinstance(error, KeyboardInterrupt):
      raise
    wrong = f'{type(error).__name__}: {str(error)[:200]}'
  finally:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
  return wrong, time.process_time() - start_s


def cases(folder: Path) -> Iterator[Case]:
  """All of them; their files are made in a folder when they run."""
  import jax

  jax.config.update('jax_disable_most_optimizations', True)
  good = small_weights(folder / 'good')
  tool = _Infer(folder, good)
  yield from array_cases(folder, good, tool)
  yield from file_cases(folder, good, tool)
  yield from config_cases(folder, good, tool)
  yield from flag_cases(folder, tool)
  with contextlib.suppress(ImportError):
    import torch  # noqa: F401

    from tests import fuzz_checkpoints

    yield from fuzz_checkpoints.cases(folder)


def small_weights(folder: Path) -> Path:
  """Weights of the smallest size."""
  from tests import tiny

  return tiny.save(folder)


def said(code: int, error: str, prog: str, made: Path | None = None) -> str:
  """What is wrong with a command's end, '' if nothing.

  Args:
    code: exit code.
    error: what it wrote to the standard error.
    prog: how its sentence begins.
    made: its output.
  """
  if 'Traceback' in error:
    return error[-300:]
  if code == 2:
    lines = [line for line in error.splitlines() if line.strip()]
    if len(lines) != 1 or not lines[0].startswith(f'{prog}: '):
      return f'{len(lines)} lines: {error[-300:]}'
    return 'half an output' if made is not None and made.exists() else ''
  if code != 0:
    return f'exit code {code}: {error[-300:]}'
  return '' if made is None or made.exists() else 'no output'


class _Infer:
  """infer.py with small inputs."""

  def __init__(self, folder: Path, weights: Path):
    self._folder, self._weights = folder, weights
    rng = np.random.default_rng(0)
    self._portrait, self._speech = folder / 'a.png', folder / 'a.wav'
    picture = rng.integers(256, size=(64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(self._portrait), picture)
    with wave.open(str(self._speech), 'wb') as file:
      file.setparams((1, 2, 16_000, 0, 'NONE', ''))
      file.writeframes((3000 * rng.standard_normal(3200)).astype('<i2'))

  def __call__(self, *options: str, weights: Path | None = None) -> str:
    """What is wrong with what comes of these options, '' if nothing."""
    from takin_jax.cli import infer

    made = self._folder / 'out.mp4'
    made.unlink(missing_ok=True)
    error = io.StringIO()
    arguments = [
      *('-s', str(self._portrait), '-a', str(self._speech), '--crop=none'),
      *('-o', str(made), '--weights', str(weights or self._weights)),
      *options,
    ]
    with (
      contextlib.redirect_stderr(error),
      contextlib.redirect_stdout(io.StringIO()),
    ):
      try:
        code = infer.main(arguments)
      except SystemExit as end:
        code = end.code
    wrong = said(code, error.getvalue(), 'infer.py', made)
    return wrong or (_black(made) if code == 0 else '')


def _black(path: Path) -> str:
  video = cv2.VideoCapture(str(path))
  read, frame = video.read()
  video.release()
  if not read:
    return 'a video without pictures'
  return 'a black video' if frame.max() < 8 else ''


def _copy(
  folder: Path,
  good: Path,
  arrays: dict[str, np.ndarray] | None = None,
  config: str | None = None,
  data: bytes | None = None,
) -> Path:
  """Good weights with some of it replaced."""
  bad = folder / 'bad'
  bad.mkdir(exist_ok=True)
  whole = (good / 'params.safetensors').read_bytes()
  if arrays is not None:
    whole = safetensors.save(arrays)
  (bad / 'params.safetensors').write_bytes(whole if data is None else data)
  text = (good / 'config.json').read_text() if config is None else config
  (bad / 'config.json').write_text(text, errors='surrogatepass')
  return bad


def array_cases(folder: Path, good: Path, tool: _Infer) -> Iterator[Case]:
  """One array of every group is spoilt."""
  arrays = safetensors.load_file(good / 'params.safetensors')
  groups = sorted({name.split('/')[0] for name in arrays})
  changes = {
    'NaN': lambda x: np.full_like(x, np.nan),
    'infinite': lambda x: np.full_like(x, np.inf),
    'whole numbers': lambda x: x.astype(np.int32),
    'too wide': lambda x: np.concatenate([x, x], -1),
    'a scalar': lambda x: np.float16(1),
    'empty': lambda x: x[..., :0],
    'float64': lambda x: x.astype(np.float64),
    'beyond float32': lambda x: np.full(x.shape, 1e300),
  }
  for group in groups:
    name = max((n for n in arrays if n.startswith(f'{group}/')), key=len)
    for label, change in changes.items():

      def run(name=name, change=change) -> str:
        value = np.ascontiguousarray(change(arrays[name]))
        return tool(weights=_copy(folder, good, {**arrays, name: value}))

      yield Case('arrays', f'{name} {label}', run)
    for label, kept in (
      ('one missing', {k: v for k, v in arrays.items() if k != name}),
      ('none', {k: v for k, v in arrays.items() if k.split('/')[0] != group}),
    ):
      yield Case(
        'arrays',
        f'{group} {label}',
        lambda kept=kept: tool(weights=_copy(folder, good, kept)),
      )
  for name in ('', '/', 'generator', '../../x', 'generator/extra/kernel'):
    more = {**arrays, name: np.zeros(3, np.float16)}
    yield Case(
      'arrays',
      f'name {name!r}',
      lambda more=more: tool(weights=_copy(folder, good, more)),
    )


def file_cases(folder: Path, good: Path, tool: _Infer) -> Iterator[Case]:
  """Files that are damaged, or something else."""
  data = (good / 'params.safetensors').read_bytes()

  def header(text: bytes, length: int | None = None) -> bytes:
    return struct.pack('<Q', len(text) if length is None else length) + text

  entry = '{"a/x":{"dtype":"%s","shape":%s,"data_offsets":[0,8]}}'
  files = {
    'empty': b'',
    'pointer': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
    'page': b'<!DOCTYPE html><title>404</title>',
    'noise': os.urandom(5000),
    'zeros': bytes(5000),
    'text': b'hello\n' * 100,
    'huge header': header(data[8:], 2**63),
    'header of 99 MB': header(data[8:], 99_000_000),
    'header is no JSON': header(b'x' * 200),
    'deep header': header(b'{"a":' * 20_000 + b'1' + b'}' * 20_000),
    'huge shape': header((entry % ('F32', [2**62, 2**62])).encode()) + bytes(8),
    'bfloat16': header((entry % ('BF16', [4])).encode()) + bytes(8),
    'float8': header((entry % ('F8_E4M3', [8])).encode()) + bytes(8),
    'unknown type': header((entry % ('Q7', [8])).encode()) + bytes(8),
    'a hole': data[: len(data) // 2] + data[len(data) // 2 + 100 :],
    'twice': data + data,
  }
  files |= {
    f'first {share:.0%}': data[: int(len(data) * share)]
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.999)
  }
  for name, content in files.items():
    yield Case(
      'files',
      name,
      lambda content=content: tool(weights=_copy(folder, good, data=content)),
    )
  texts = {
    'a list': '[1, 2]',
    'a text': '"x"',
    'null': 'null',
    'a number': '5',
    'empty': '',
    'no JSON': '{a: 1}',
    'NaN': 'NaN',
    'deep': '{"a":' * 5000 + '1' + '}' * 5000,
    'no text': '\x00\x01',
    'no object': '{}',
    'byte order mark': '\ufeff{}',
    'huge number': '{"model":{"image_size":' + '9' * 5000 + '}}',
    'a page': '<html></html>',
    'half a character': '\ud800',
  }
  for name, text in texts.items():
    yield Case(
      'files',
      f'config.json is {name}',
      lambda text=text: tool(weights=_copy(folder, good, config=text)),
    )


# Values of config.json, by block.
_VALUES = {
  '': {
    'model': ([1], None, 'x', 5, {}),
    'diffusion': ([1], None, 'x', {}),
    'infer': ([1], 'x', {'foo': 1}, {'emotion': 'zzz'}, {'emotion': 5}),
    'name': ('../../x\n\x1b[31mred', [1], None, ''),
    'data': ([1], {'crop': 'x'}),
  },
  'infer': {
    'max_pose_deg': (-1, 'x', NAN, 1e30),
    'blinks_per_minute': (-1, NAN, 1e30, 'x'),
    'emotion_share': (-1, NAN, 1e30),
  },
  'diffusion': {
    'steps': (0, -1, 10**12, 'x', 2.5),
    'sample_steps': (0, -1, 2.5, 10**6, 'x'),
    'window': (0, -1, 10**8, 'x'),
    'prefix': (-1, 1000, 'x'),
    'prediction': ('zzz', 5),
    'schedule': ('zzz', None),
    'spacing': ('zzz',),
    'guidance_audio': (NAN, 1e300, 'x'),
    'smooth_frames': (NAN, HUGE, -1),
    'lip_noise': (NAN, -1, INF),
    'foo': (1,),
  },
  'model': {
    'image_size': ('64', -1, 0, 65, 10**6, 64.0, None, [64]),
    'foo': ({'a': 1}, 5),
  },
  'model.motion': {
    'num_points': (0, HUGE, 'x'),
    'widths': ([], [8], [8] * 1000, 5),
    'foo': (1,),
  },
  'model.speech': {
    'layers': (HUGE, -5, '1', 0, 2),
    'heads': (0, 7, HUGE),
    'dim': (HUGE, 0, -8),
    'conv_dims': ([8], [], 5),
    'conv_strides': ([0] * 7, [1]),
    'conv_norm': ('zzz', None),
    'pos_groups': (0, 3),
    'mel_bands': (80, -1),
  },
  'model.generator': {
    'middle_blocks': (HUGE, -1, 0),
    'upscale': (0, 3, 'x'),
    'up_channels': ([], [8]),
  },
  'model.appearance': {
    'blocks_2d': (HUGE, 5),
    'depth': (0, 3),
    'input_size': (0, 7, 64),
    'channels': ([], [8]),
  },
  'model.warping': {'widths': ([], [1, 2, 3]), 'compress': (0, HUGE)},
  'model.denoiser': {'motion': (None, [1], {}), 'motion_dim': (0, 7, HUGE)},
}


def config_cases(folder: Path, good: Path, tool: _Infer) -> Iterator[Case]:
  """One value of config.json is another."""
  text = (good / 'config.json').read_text()
  for block, names in _VALUES.items():
    for name, values in names.items():
      for value in values:
        config = json.loads(text)
        inner = config
        for part in filter(None, block.split('.')):
          inner = inner.setdefault(part, {})
        inner[name] = value
        new = json.dumps(config)
        yield Case(
          'configs',
          f'{block}.{name} = {str(value)[:30]!r}',
          lambda new=new: tool(weights=_copy(folder, good, config=new)),
        )


_FLAGS = {
  '--seed': ('-1', '-9223372036854775808', '9223372036854775808', '1.5', ''),
  '--steps': ('0', '-1', '1.5', 'nan', '99999999999999999999', '1001'),
  '--emotion': (
    *('zzz', 'happy:nan', 'happy:inf', 'happy:1e400', 'happy:abc', 'happy:'),
    *('1:happy', '0:happy,0:neutral', '0:happy,-1:neutral', '0:happy,', ':'),
    *('0:happy,nan:neutral', '0:happy,inf:neutral', 'auto', '0:auto', ',,,'),
    *('nan:happy', 'happy:1e30', 'happy:1e38', 'happy:-1e30', 'happy:9', ''),
  ),
  '--device': ('', 'zzz', 'cpu:9', 'cpu:x', 'cpu:0:0', 'gpu', 'tpu'),
  '--dtype': ('float16', ''),
  '--weights': ('/nowhere', '', '/dev/null', '..'),
  '--config': ('/nowhere.py', '/dev/null', __file__, '..', ''),
  '--zzz': ('1',),
}
_FACTORS = ('emotion-scale', 'guidance', 'pose-scale', 'motion-scale', 'blinks')
_NO_FACTORS = ('-1', 'nan', 'inf', '1e400', 'abc', '', '101')
_CONFIGS = {
  'half': 'x = (\n',
  'a number': 'def get_config(): return 5\n',
  'an error': 'def get_config(): raise RuntimeError("x")\n',
  'an exit': 'import sys\nsys.exit(3)\n',
  'nothing': '',
  'no text': '\x00',
  'no model': 'from ml_collections import ConfigDict\n'
  'def get_config(): return ConfigDict({"a": 1})\n',
}


def flag_cases(folder: Path, tool: _Infer) -> Iterator[Case]:
  """Options of infer.py."""
  flags = _FLAGS | {f'--{name}': _NO_FACTORS for name in _FACTORS}
  for flag, values in flags.items():
    for value in values:
      option = f'{flag}={value}'
      yield Case('flags', option, lambda option=option: tool(option))
  for name in _FACTORS[:-1]:
    option = f'--{name}=100'
    yield Case('flags', option, lambda option=option: tool(option))
  for name, text in _CONFIGS.items():

    def run(text=text) -> str:
      path = folder / 'config.txt'
      path.write_text(text)
      return tool(f'--config={path}')

    yield Case('flags', f'--config that is {name}', run)


def main() -> int:
  """Tries all kinds, or the named ones; returns the number of faults."""
  wanted, counts, faults = sys.argv[1:], Counter(), Counter()
  with tempfile.TemporaryDirectory() as folder:
    os.environ['TAKIN_CACHE_DIR'] = f'{folder}/cache'
    for case in cases(Path(folder)):
      if wanted and case.kind not in wanted:
        continue
      wrong, took_s = outcome(case)
      counts[case.kind] += 1
      if wrong:
        faults[case.kind] += 1
        print(f'{case.kind}: {case.name} ({took_s:.0f} s): {wrong}', flush=True)
  for kind, count in counts.items():
    print(f'{kind}: {count} inputs, {faults[kind]} at fault')
  print(f'{counts.total()} inputs, {faults.total()} at fault')
  return faults.total()


if __name__ == '__main__':
  sys.path.insert(0, str(Path(__file__).parents[1]))
  sys.exit(min(main(), 1))
