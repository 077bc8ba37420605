"""Our engine against PyTorch: same weights, inputs, device and precision.

  python benchmarks/compare.py [--size nano|full] [--only F,M] [--json FILE]
  python benchmarks/compare.py --training [--json FILE]

Both sides run in turn in one process; docs/performance.md says how to read the
table. Needs PyTorch and transformers: the extra `torch`.
"""

import pathlib
import sys

if __name__ == '__main__':
  sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])
  from benchmarks.command import main

  sys.exit(main())
