"""The networks that judge pictures, and why some of them are missing.

In: paths on the command line. Out: features of frames by the name of the net.
"""

import argparse
from collections.abc import Callable
import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from takin_jax.eval import frechet, metrics, onnx_net
from takin_jax.eval.identity import FaceNet, open_face_net
from takin_jax.eval.judge import Readings
from takin_jax.eval.syncnet import SyncNet

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


def add_arguments(parser: argparse.ArgumentParser, sync: bool = False) -> None:
  """Options for the user's own networks."""
  add = parser.add_argument
  add('--face-net', metavar='ONNX', help='for CSIM, such as MobileFaceNet')
  add('--inception', metavar='ONNX', help='for FID, see docs/evaluation.md')
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
  if why := metrics.lpips_missing():
    missing |= {'LPIPS': why, 'Frechet VGG': why}
  else:
    pictures['vgg'] = frechet.vgg_features
  face, why = open_face_net(args.face_net)
  if why:
    missing['CSIM'] = why
  try:
    if args.inception is None:
      raise ValueError('give the FID Inception network with --inception')
    session = onnx_net.open_net(args.inception)
    pictures['inception'] = frechet.Inception(session)
  except ValueError as error:
    missing['FID'] = str(error)
  sync = None
  if 'syncnet' in args:
    try:
      if args.syncnet is None:
        raise ValueError('give both halves of SyncNet with --syncnet')
      sync = SyncNet(*map(onnx_net.open_net, args.syncnet))
    except ValueError as error:
      missing['LSE-D, LSE-C'] = str(error)
  files = {'face net': args.face_net, 'inception': args.inception}
  for name, path in zip(
    ('syncnet face', 'syncnet audio'),
    getattr(args, 'syncnet', None) or (),
    strict=False,
  ):
    files[name] = path
  return Nets(pictures, face, sync, missing, _named(files))


def _named(files: dict[str, str | None]) -> dict[str, str]:
  """`NAME (start of its SHA-256)` of the files that are there."""
  out = {}
  for name, path in files.items():
    if path is not None and Path(path).is_file():
      digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
      out[name] = f'{Path(path).name} ({digest})'
  return out
