"""Training runs -> one weights folder.

  python -m takin_jax.train.release.export RUN [RUN...] --out DIR [--groups a,b]

Takes the averaged parameters of the newest checkpoint of every run. Groups
that DIR has already stay unless a run replaces them. With `--mean`, runs that
went on from each other become one: their mean keeps what they agree on and
loses the marks that each has of its own (model soups, arXiv 2203.05482).
"""

import argparse
import collections
from collections.abc import Collection, Sequence
import pathlib
import sys
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import weights
from takin_jax.cli.errors import command
from takin_jax.errors import InputError
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
  mean: bool = False,
) -> list[str]:
  """Merges parameter groups and model configs of runs into a folder.

  Args:
    runs: folders of runs; where two have a group, the later one wins.
    out: weights folder, made or added to.
    groups: which ones to take; None: all that inference may use.
    mean: of several runs that have a group take the mean, not the last one.

  Returns:
    Names of the groups that the folder has now.

  Raises:
    InputError: if a run cannot be read, a group is in none of the runs, or a
      mean is asked for of groups of different sizes.
  """
  config, params = _existing(pathlib.Path(out))
  taken = collections.Counter()
  for run in runs:
    run_config, run_params = checkpoint.read_config(run), load_groups(run)
    chosen = set(groups or run_params.keys() - _AUXILIARY)
    run_params = _with_own_stats(run_params, chosen)
    for name in sorted(chosen & run_params.keys()):
      new = run_params[name]
      if mean and taken[name]:
        new = _next_mean(params[name], new, taken[name], f'{name} of {run}')
      params[name] = new
      taken[name] += 1
      _copy_facts(run_config, config, name)
  missing = sorted(set(groups or ()) - taken.keys())
  if missing:
    raise checkpoint.WorkdirError(
      f'No run has the parameter group {", ".join(missing)}.'
    )
  weights.save(out, config, params)
  return sorted(params)


def _next_mean(mean: Any, new: Any, count: int, name: str) -> Any:
  """Mean of `count` trees and one more."""
  if jax.tree.map(np.shape, mean) != jax.tree.map(np.shape, new):
    raise InputError(
      f'{name} is not of the same size as in the run before: no mean.'
    )
  return jax.tree.map(lambda a, b: a + (b - a) / (count + 1), mean, new)


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


@command('takin_jax.train.release.export')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Training runs to weights.')
  parser.add_argument('runs', nargs='+', metavar='RUN')
  parser.add_argument('--out', required=True, metavar='DIR')
  parser.add_argument('--groups', help='names, separated by commas')
  parser.add_argument('--mean', action='store_true', help='of the runs')
  args = parser.parse_args(argv)
  groups = args.groups.split(',') if args.groups else None
  names = export(args.runs, args.out, groups, args.mean)
  print(f'{args.out} holds {", ".join(names)}.')
  return 0


if __name__ == '__main__':
  sys.exit(main())
