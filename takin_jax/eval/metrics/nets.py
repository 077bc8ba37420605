"""The networks that judge pictures, and why some of them are missing.

In: paths on the command line. Out: features of frames by the name of the net.
"""

import argparse
from collections.abc import Callable
import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from takin_jax.data.faces.identity import FaceNet, open_face_net
from takin_jax.eval.judge import Readings
from takin_jax.eval.metrics import figures, frechet, onnx_net
from takin_jax.eval.metrics.syncnet import SyncNet

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Nets:
  """Whatever is there.

  Attributes:
    pictures: frames [N, H, H, 3] -> features [N, D], by name.
    face: recognition, or None.
    sync: SyncNet, or None.
    missing: figure -> why it cannot be measured.
    settings: which files they are, for reports and caches.
  """

  pictures: dict[str, Callable[[np.ndarray], np.ndarray]]
  face: FaceNet | None = None
  sync: SyncNet | None = None
  missing: dict[str, str] = dataclasses.field(default_factory=dict)
  settings: dict[str, str] = dataclasses.field(default_factory=dict)

  def features(self, images: np.ndarray, seen: Readings) -> Arrays:
    """Features of N frames: `vgg`, `inception`, `face`, as far as possible."""
    out = {name: net(images) for name, net in self.pictures.items()}
    if self.face is not None:
      out['face'] = self.face(images, seen.landmarks)
    return {name: np.asarray(x, np.float32) for name, x in out.items()}


def add_arguments(
  parser: argparse.ArgumentParser, inception: bool = True, sync: bool = False
) -> None:
  """Options for the user's own networks."""
  add = parser.add_argument
  add('--face-net', metavar='ONNX', help='for CSIM, such as MobileFaceNet')
  if inception:
    add('--inception', metavar='ONNX', help='for FID, see docs/evaluation.md')
    add(
      '--frechet',
      action=argparse.BooleanOptionalAction,
      default=True,
      help='distances between sets of pictures (slow on a CPU)',
    )
  if sync:
    add(
      '--syncnet',
      nargs=2,
      metavar=('FACE.onnx', 'AUDIO.onnx'),
      help='for LSE-D and LSE-C, see docs/evaluation.md',
    )


def open_nets(args: argparse.Namespace) -> Nets:
  """Opens what the options name."""
  pictures, missing = {}, {}
  if why := figures.lpips_missing():
    missing['LPIPS'] = why
  face, why = open_face_net(args.face_net)
  if why:
    missing['CSIM'] = why
  files = {'face net': args.face_net}
  if 'inception' in args and not args.frechet:
    missing |= dict.fromkeys(('FID', 'Frechet VGG'), '--no-frechet was given')
  elif 'inception' in args:
    if 'LPIPS' in missing:
      missing['Frechet VGG'] = missing['LPIPS']
    else:
      pictures['vgg'] = frechet.vgg_features
    files['inception'] = args.inception
    try:
      pictures['inception'] = frechet.Inception(_open(args, 'inception'))
    except ValueError as error:
      missing['FID'] = str(error)
  sync = None
  if 'syncnet' in args:
    halves = args.syncnet or (None, None)
    files |= zip(('syncnet face', 'syncnet audio'), halves, strict=True)
    try:
      sync = SyncNet(*_open(args, 'syncnet'))
    except ValueError as error:
      missing['LSE-D, LSE-C'] = str(error)
  return Nets(pictures, face, sync, missing, _named(files))


def _open(args: argparse.Namespace, option: str):
  """The session or sessions of an option.

  Raises:
    ValueError: why there are none.
  """
  given = getattr(args, option)
  if given is None:
    raise ValueError(f'give --{option}, see docs/evaluation.md')
  if isinstance(given, str):
    return onnx_net.open_net(given)
  return [onnx_net.open_net(path) for path in given]


def _named(files: dict[str, str | None]) -> dict[str, str]:
  """`NAME (start of its SHA-256)` of the files that are there."""
  out = {}
  for name, path in files.items():
    if path is not None and Path(path).is_file():
      digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
      out[name] = f'{Path(path).name} ({digest})'
  return out
