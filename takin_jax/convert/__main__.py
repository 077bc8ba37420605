"""Public PyTorch checkpoints -> one weights folder.

  python -m takin_jax.convert liveportrait pretrained_weights --out DIR
  python -m takin_jax.convert hubert facebook/hubert-large-ls960-ft --out DIR
  python -m takin_jax.convert joyvasa pretrained_weights/JoyVASA --out DIR
  python -m takin_jax.convert ditto lmdm_v0.4_hubert.pth --out DIR

Both may write to the same folder; `infer.py --weights DIR` and
`train.init_from` read it. Nothing is written if anything does not fit.
"""

import argparse
from collections.abc import Sequence
import dataclasses
from pathlib import Path
import sys
from typing import Any

import numpy as np

from takin_jax import renderer, weights
from takin_jax.cli.errors import command
from takin_jax.convert import generators, hubert, liveportrait
from takin_jax.convert.apply import ConvertError, Result, check


@command('takin_jax.convert')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = _parser()
  args = parser.parse_args(argv)
  if not (args.out or args.dry_run):
    parser.error('--out is missing')
  if not args.source:
    parser.error('SRC is empty')
  config, results, merge = _MODELS[args.model](args.source)
  if args.dry_run:
    _print(results)
  _check(results)
  if not args.dry_run:
    groups = _write(Path(args.out), config, merge(results), args.fold)
    print(f'{args.out} holds {", ".join(groups)}.')
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog='python -m takin_jax.convert',
    description='Public PyTorch checkpoints to a weights folder.',
  )
  parser.add_argument('model', choices=tuple(_MODELS))
  parser.add_argument(
    'source', metavar='SRC', help='folder, or for hubert a hub name'
  )
  parser.add_argument('--out', metavar='DIR', help='made or added to')
  parser.add_argument(
    '--fold',
    action='store_true',
    help='fold batch and spectral norms: smaller, for inference only',
  )
  parser.add_argument(
    '--dry-run', action='store_true', help='print the table, write nothing'
  )
  return parser


def _liveportrait(source: str) -> tuple[dict[str, Any], Any, Any]:
  model, results = liveportrait.convert(liveportrait.read(Path(source)))
  return {'name': 'liveportrait', 'model': model}, results, liveportrait.merge


def _hubert(source: str) -> tuple[dict[str, Any], Any, Any]:
  cfg, state = hubert.read(source)
  results = {'speech': hubert.convert(cfg, state)}
  config = {
    'name': source.rstrip('/').split('/')[-1],
    'model': {'speech': dataclasses.asdict(cfg)},
  }
  return config, results, lambda r: {'speech': r['speech'].variables['params']}


def _joyvasa(source: str) -> tuple[dict[str, Any], Any, Any]:
  cfg, state, stats = generators.read_joyvasa(Path(source))
  return _generator('joyvasa', cfg, state, {'stats': stats})


def _ditto(source: str) -> tuple[dict[str, Any], Any, Any]:
  return _generator('ditto', *generators.read_ditto(Path(source)), {})


def _generator(
  kind: str, cfg: Any, state: Any, more: dict[str, Any]
) -> tuple[dict[str, Any], Any, Any]:
  results = {'denoiser': generators.convert(cfg, state)}
  block = {'kind': kind, **dataclasses.asdict(cfg)}
  config = {'name': kind, 'model': {'denoiser': block}}
  return (
    config,
    results,
    lambda r: {
      'denoiser': r['denoiser'].variables['params'],
      **more,
    },
  )


_MODELS = {
  'liveportrait': _liveportrait,
  'hubert': _hubert,
  'joyvasa': _joyvasa,
  'ditto': _ditto,
}


def _check(results: dict[str, Result]) -> None:
  """One error for everything that does not fit."""
  errors = []
  for name, result in results.items():
    known = any(row.target for row in result.rows)
    if not known:
      raise ConvertError(
        f'The checkpoint for {name!r} is of another model: none of its tensors '
        'is known.'
      )
    errors += [f'{name}: {error}' for error in result.errors]
  check('The checkpoint', errors)


def _print(results: dict[str, Result]) -> None:
  for name, result in results.items():
    for row in result.rows:
      print(f'{name}: {row}')
    for error in result.errors:
      print(f'{name}: MISMATCH {error}')
    used = sum(bool(row.target) for row in result.rows)
    print(
      f'{name}: {used} tensors used, {len(result.rows) - used} ignored, '
      f'{len(result.errors)} mismatches'
    )


def _write(
  out: Path, config: dict[str, Any], params: dict[str, Any], fold: bool
) -> list[str]:
  """Writes the groups, beside those that the folder has already."""
  if fold:
    config['model'], params = renderer.fold(config['model'], params)
  if (out / weights.PARAMS_FILE).exists():
    old_config, old_params = weights.load(out)
    old = old_config.to_dict()
    config = {**old, 'model': {**old.get('model', {}), **config['model']}}
    params = {**old_params, **params}
  params = {k: v for k, v in params.items() if v}
  weights.save(out, config, params, np.float32)
  return sorted(params)


if __name__ == '__main__':
  sys.exit(main())
