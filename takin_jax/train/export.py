"""Training runs -> one weights folder.

  python -m takin_jax.train.export RUN [RUN...] --out DIR [--groups a,b]

Takes the averaged parameters of the newest checkpoint of every run. Groups
that DIR has already stay unless a run replaces them.
"""

import argparse
from collections.abc import Collection, Sequence
import pathlib
import sys
from typing import Any

from ml_collections import ConfigDict

from takin_jax import weights
from takin_jax.train import checkpoint
from takin_jax.train.init_from import load_groups
from takin_jax.train.steps import STATS

# Groups that only training needs; exported when asked for by name.
_AUXILIARY = {'speech_head', 'discriminator'}
# Parameter groups whose facts come from other blocks than model.GROUP.
_EXTRA_BLOCKS = {'denoiser': ('diffusion', 'infer')}


def export(
  runs: Sequence[str],
  out: str | pathlib.Path,
  groups: Collection[str] | None = None,
) -> list[str]:
  """Merges parameter groups and model configs of runs into a folder.

  Args:
    runs: folders of runs; where two have a group, the later one wins.
    out: weights folder, made or added to.
    groups: which ones to take; None: all that inference may use.

  Returns:
    Names of the groups that the folder has now.

  Raises:
    ValueError: if a run cannot be read or a group is in none of the runs.
  """
  config, params = _existing(pathlib.Path(out))
  taken = set()
  for run in runs:
    run_config, run_params = checkpoint.read_config(run), load_groups(run)
    chosen = set(groups or run_params.keys() - _AUXILIARY)
    run_params = _with_own_stats(run_params, chosen)
    for name in sorted(chosen & run_params.keys()):
      params[name] = run_params[name]
      taken.add(name)
      _copy_facts(run_config, config, name)
  missing = sorted(set(groups or ()) - taken)
  if missing:
    raise checkpoint.WorkdirError(
      f'No run has the parameter group {", ".join(missing)}.'
    )
  weights.save(out, config, params)
  return sorted(params)


def _existing(out: pathlib.Path) -> tuple[dict[str, Any], weights.Params]:
  if not (out / weights.PARAMS_FILE).exists():
    return {'name': out.name, 'model': {}}, {}
  config, params = weights.load(out)
  return config.to_dict(), params


def _with_own_stats(
  params: weights.Params, chosen: Collection[str]
) -> weights.Params:
  """Without the statistics of modules that are not exported."""
  stats = {k: v for k, v in params.get(STATS, {}).items() if k in chosen}
  rest = {k: v for k, v in params.items() if k != STATS}
  return {**rest, STATS: stats} if stats else rest


def _copy_facts(source: ConfigDict, target: dict[str, Any], name: str) -> None:
  """Copies what inference needs to know about one group."""
  plain = source.to_dict()
  for key, value in plain.get('model', {}).items():
    if key == name or not isinstance(value, dict):
      target['model'][key] = value
  for extra in _EXTRA_BLOCKS.get(name, ()):
    if extra in plain:
      target[extra] = plain[extra]
  if plain.get('data', {}).get('crop'):
    target['data'] = {'crop': plain['data']['crop']}


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Training runs to weights.')
  parser.add_argument('runs', nargs='+', metavar='RUN')
  parser.add_argument('--out', required=True, metavar='DIR')
  parser.add_argument('--groups', help='names, separated by commas')
  args = parser.parse_args(argv)
  try:
    groups = args.groups.split(',') if args.groups else None
    names = export(args.runs, args.out, groups)
  except ValueError as error:
    print(error, file=sys.stderr)
    return 2
  print(f'{args.out} holds {", ".join(names)}.')
  return 0


if __name__ == '__main__':
  sys.exit(main())
