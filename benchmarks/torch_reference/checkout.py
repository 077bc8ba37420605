"""The user's own checkout of LivePortrait in place of our twin.

Its classes and its `models.yaml` are read from the folder; nothing of it is
part of this project.
"""

import importlib
from pathlib import Path
import sys

from torch import nn
import yaml

from takin_jax.errors import InputError

# Group -> module and class in the checkout, and its block in models.yaml.
CLASSES = {
  'appearance': (
    'appearance_feature_extractor',
    'AppearanceFeatureExtractor',
    'appearance_feature_extractor_params',
  ),
  'motion': ('motion_extractor', 'MotionExtractor', 'motion_extractor_params'),
  'warping': ('warping_network', 'WarpingNetwork', 'warping_module_params'),
  'generator': ('spade_generator', 'SPADEDecoder', 'spade_generator_params'),
}


def load(folder: str) -> dict[str, nn.Module]:
  """The four networks of a checkout, with fresh weights.

  Args:
    folder: the root of a checkout of github.com/KwaiVGI/LivePortrait.

  Raises:
    InputError: it is none, or its modules do not load.
  """
  root = Path(folder).resolve()
  sizes = root / 'src' / 'config' / 'models.yaml'
  if not sizes.is_file():
    raise InputError(
      f'{folder} is no checkout of LivePortrait: there is no '
      'src/config/models.yaml in it.'
    )
  sys.path.insert(0, str(root))
  try:
    params = yaml.safe_load(sizes.read_text())['model_params']
    return {
      group: getattr(importlib.import_module(f'src.modules.{module}'), cls)(
        **params[block]
      )
      for group, (module, cls, block) in CLASSES.items()
    }
  except (ImportError, AttributeError, KeyError, TypeError) as error:
    raise InputError(
      f'The modules of {folder} do not load ({error}): take a checkout that '
      'runs, with its requirements installed.'
    ) from None
  finally:
    sys.path.remove(str(root))
