"""Who is held out for evaluation, where no table says it.

In: lines of the manifest, whose `split` is empty where nobody has decided.
Out: the same lines with `train` or `val`. Whole people are held out, chosen by
their name alone, so that more videos change nobody's part.
"""

from collections.abc import Callable, Mapping, Sequence
import hashlib
import operator
from typing import Any

from takin_jax.data.media import MediaError

SHARE = 0.1
Line = dict[str, Any]
_PERSON, _ID = operator.itemgetter('person'), operator.itemgetter('id')


def parse(text: str | None) -> float | tuple[str, ...]:
  """`--val`: a share of the clips, or names of people; None: the default.

  Raises:
    MediaError: for a share of all or more.
  """
  if text is None:
    return SHARE
  try:
    share = float(text)
  except ValueError:
    return tuple(text.split(','))
  if not 0 <= share < 1:
    raise MediaError(f'--val {text}: hold out a share from 0 to 0.9.')
  return share


def assign(
  lines: Sequence[Line],
  people: Mapping[str, str],
  val: float | Sequence[str] = SHARE,
  earlier: Mapping[str, str] | None = None,
) -> str:
  """Decides for the finished clips whose `split` is empty.

  Args:
    lines: of the manifest, changed in place.
    people: who a file shows, by `file`.
    val: about which share of the clips to hold out, at least one; or names.
    earlier: `split` by id that was decided before and shall stay.

  Returns:
    A sentence that says who is held out.

  Raises:
    MediaError: if a named person is not there.
  """
  ready = [line for line in lines if line['status'] == 'ok']
  for line in ready:
    line['split'] = line['split'] or (earlier or {}).get(line['id'], '')
  free = [line for line in ready if not line['split']]
  if isinstance(val, float):
    count = max(round(val * len(ready)), 1) if val else 0
    chosen = _choose(ready, people, count)
  else:
    chosen = _named(free, people, val)
  for line in free:
    line['split'] = 'val' if line['id'] in chosen else 'train'
  return _told(ready, people)


def _choose(
  ready: Sequence[Line], people: Mapping[str, str], count: int
) -> set[str]:
  """Ids of about `count` clips, those that are held out already included."""
  # One person only: other scenes, or at least other clips.
  for key in (lambda x: people[x['file']], _PERSON, _ID):
    groups = _groups(ready, key)
    if len(groups) > 1:
      break
  held = [g for g in groups if any(line['split'] == 'val' for line in g)]
  chosen = {line['id'] for group in held for line in group}
  free = [g for g in groups if not any(line['split'] for line in g)]
  if len(free) == len(groups):  # somebody must be left to learn from
    free.remove(max(free, key=len))
  fits = [group for group in free if len(group) <= count - len(chosen)]
  if not chosen and not fits and free and count:
    fits = [min(free, key=len)]
  for group in fits:
    if not chosen or len(chosen) + len(group) <= count:
      chosen |= {line['id'] for line in group}
  return chosen


def _groups(
  lines: Sequence[Line], key: Callable[[Line], str]
) -> list[list[Line]]:
  """Lines by key, in an order that is that of no alphabet."""
  groups: dict[str, list[Line]] = {}
  for line in lines:
    groups.setdefault(key(line), []).append(line)
  names = sorted(groups, key=lambda n: hashlib.sha256(n.encode()).digest())
  return [groups[name] for name in names]


def _named(
  free: Sequence[Line], people: Mapping[str, str], names: Sequence[str]
) -> set[str]:
  shown = [people[line['file']] for line in free]
  for name in names:
    if name not in shown:
      raise MediaError(f'--val names {name}, whom no clip without split shows.')
  pairs = zip(free, shown, strict=True)
  return {line['id'] for line, person in pairs if person in names}


def _told(ready: Sequence[Line], people: Mapping[str, str]) -> str:
  held = [line for line in ready if line['split'] == 'val']
  if not held:
    return (
      'Nobody is held out, so nothing can be evaluated: that needs two clips; '
      '--val says whom.'
    )
  names = sorted({people[line['file']] for line in held})
  more = f' and {len(names) - 5} more' if len(names) > 5 else ''
  return (
    f'Held out for evaluation: {len(held)} of {len(ready)} clips, showing '
    f'{", ".join(names[:5])}{more}; --val changes that.'
  )
