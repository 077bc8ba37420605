"""Results as text: what compare.py prints while it runs."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = (
  f'{"block":13}{"baseline":15}{"jax ms":>10}{"min":>9}{"p95":>9}'
  f'{"torch ms":>10}{"min":>9}{"p95":>9}{"ratio":>7}{"min":>6}'
  f'{"diff":>9}{"GFLOP":>8}{"roof":>6}  format'
)


def head(results: Mapping[str, Any]) -> str:
  """Device, versions, threads, and the names of the columns."""
  versions = ', '.join(f'{k} {v}' for k, v in results['versions'].items())
  threads = ', '.join(f'{k} {v}' for k, v in results['threads'].items())
  return (
    f'{results["device"]}\n{versions}\nthreads: {threads}; '
    f'commit {results["commit"][:12]}\n{_COLUMNS}'
  )


def line(row: Mapping[str, Any]) -> str:
  """One row."""
  share = row['roofline_share']
  return (
    f'{row["block"]:13}{row["baseline"]:15}'
    f'{row["jax_ms"]:10.2f}{row["jax_min_ms"]:9.2f}{row["jax_p95_ms"]:9.2f}'
    f'{row["torch_ms"]:10.2f}{row["torch_min_ms"]:9.2f}'
    f'{row["torch_p95_ms"]:9.2f}{row["ratio"]:7.2f}{row["min_ratio"]:6.2f}'
    f'{row["max_abs_diff"]:9.1e}{row["flop"] / 1e9:8.1f}'
    f'{"" if share is None else f"{share:.0%}":>6}  {row["memory_format"]}'
  )
