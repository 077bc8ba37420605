"""Makes a portrait talk; see takin_jax/cli/infer.py."""

import sys

from takin_jax.cli.infer import main

if __name__ == '__main__':
  sys.exit(main())
