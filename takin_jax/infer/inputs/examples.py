"""What the package has at hand: a portrait and a sentence."""

import importlib.util
from pathlib import Path

EXAMPLE_SPEECH = Path(__file__).parents[2] / 'assets' / 'hello.flac'
# Eileen Collins, NASA, public domain. Importing skimage would import much more.
EXAMPLE_PORTRAIT = (
  Path(importlib.util.find_spec('skimage').origin).parent / 'data/astronaut.png'
)
