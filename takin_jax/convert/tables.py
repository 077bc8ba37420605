"""Which PyTorch tensor is which of our arrays, and how it is laid out.

A `Rule` names a PyTorch layer by a regular expression, our layer, and the kind
of layer; the kind says what becomes of its tensors. Everything here works on
numpy arrays and on traced ones alike. Sources: the state dicts of LivePortrait
(MIT licence) and of transformers' HubertModel.
"""

from collections.abc import Callable, Mapping
import dataclasses
import re
from typing import Any

Array = Any
Layout = Callable[[Array], Array]
# PyTorch tensor name -> (collection, our name, layout); a string is the
# reason why the tensor is not needed.
Kind = Mapping[str, tuple[str, str, Layout] | str]


def same(x: Array) -> Array:
  """As it is."""
  return x


def channels_last(x: Array) -> Array:
  """Convolution or linear kernel [O, I, *space] -> [*space, I, O]."""
  return x.transpose(*range(2, x.ndim), 1, 0)


def flat(x: Array) -> Array:
  """[1, 1, 1, C] -> [C]."""
  return x.reshape(-1)


def without_batch(x: Array) -> Array:
  """[1, ...] -> [...]."""
  return x[0]


def patch_last(kernel: int) -> Layout:
  """Vector over (I, k, k) -> vector over (k, k, I)."""

  def layout(x: Array) -> Array:
    return x.reshape(-1, kernel, kernel).transpose(1, 2, 0).reshape(-1)

  return layout


def _params(**names: tuple[str, Layout]) -> Kind:
  return {key: ('params', *value) for key, value in names.items()}


KERNEL = _params(weight=('kernel', channels_last), bias=('bias', same))
NORM = _params(weight=('scale', same), bias=('bias', same))
BATCH_NORM = {
  **NORM,
  'running_mean': ('batch_stats', 'mean', same),
  'running_var': ('batch_stats', 'var', same),
  'num_batches_tracked': 'only counts training steps',
}
RESPONSE_NORM = _params(gamma=('gamma', flat), beta=('beta', flat))
WEIGHT_NORM = _params(
  weight_g=('g', channels_last),
  weight_v=('v', channels_last),
  bias=('bias', same),
) | _params(
  **{
    'parametrizations.weight.original0': ('g', channels_last),
    'parametrizations.weight.original1': ('v', channels_last),
  }
)


def spectral(kernel: int) -> Kind:
  """Spectrally normalised convolution, torch's hook style."""
  return {
    'weight_orig': ('params', 'kernel', channels_last),
    'bias': ('params', 'bias', same),
    'weight_u': ('batch_stats', 'u', same),
    'weight_v': ('batch_stats', 'v', patch_last(kernel)),
  }


@dataclasses.dataclass(frozen=True)
class Rule:
  """One sort of layer.

  Attributes:
    source: regular expression of the PyTorch layer's name.
    target: our name, joined by '/', with the expression's groups.
    kind: what becomes of its tensors.
  """

  source: str
  target: str
  kind: Kind


@dataclasses.dataclass(frozen=True)
class Entry:
  """Where a tensor goes.

  Attributes:
    path: collection and names of ours.
    layout: PyTorch's layout -> ours.
  """

  path: tuple[str, ...]
  layout: Layout


@dataclasses.dataclass(frozen=True)
class Table:
  """All layers of one model.

  Attributes:
    rules: the first one that matches counts.
    ignored: expression of whole tensor names -> why they are not needed.
    prefixes: what checkpoints may put in front of names.
    single: whole names of tensors of no layer -> our name and its layout.
  """

  rules: tuple[Rule, ...]
  ignored: Mapping[str, str] = dataclasses.field(default_factory=dict)
  prefixes: tuple[str, ...] = ('module.',)
  single: Mapping[str, tuple[str, Layout]] = dataclasses.field(
    default_factory=dict
  )

  def layer(self, name: str) -> tuple[str, Kind] | None:
    """Our name and the kind of a PyTorch layer; None: unknown."""
    for rule in self.rules:
      match = re.fullmatch(rule.source, name)
      if match:
        return match.expand(rule.target), rule.kind
    return None

  def bare(self, key: str) -> str:
    """A tensor's name without prefixes."""
    for prefix in self.prefixes:
      key = key.removeprefix(prefix)
    return key

  def tensor(self, key: str) -> Entry | str | None:
    """What becomes of a tensor.

    Args:
      key: its name, without prefixes.

    Returns:
      Its place and layout, or the reason why it is not needed, or None if it
      is unknown.
    """
    for pattern, reason in self.ignored.items():
      if re.fullmatch(pattern, key):
        return reason
    if key in self.single:
      name, layout = self.single[key]
      return Entry(('params', name), layout)
    parts = key.split('.')
    for i in range(len(parts) - 1, 0, -1):
      found = self.layer('.'.join(parts[:i]))
      if found is None:
        continue
      layer, kind = found
      entry = kind.get('.'.join(parts[i:]))
      if entry is None or isinstance(entry, str):
        return entry
      collection, name, layout = entry
      return Entry((collection, *layer.split('/'), name), layout)
    return None
