"""Tiny weights, made-up clips and portraits for the subcommands."""

import cv2
import numpy as np
import pytest

from takin_jax.data.faces import CropBox
from takin_jax.eval.protocols import candidate, clips, emotion
from tests import tiny
from tests.data.fake_records import write_clip


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  return tiny.save(tmp_path_factory.mktemp('weights') / 'tiny')


@pytest.fixture(scope='module')
def tiny_candidate(weights):
  return candidate.open_candidate(str(weights), 'cpu')


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  write_clip(folder, 'a', 'ann', seed=1)
  write_clip(folder, 'b', 'bob', split='val', seed=2, speech=True)
  write_clip(folder, 'c', 'cat', split='val', frames=20, seed=3, speech=True)
  write_clip(folder, 'd', 'dan', split='val', seed=4)
  return str(folder)


@pytest.fixture(scope='module')
def portraits(tmp_path_factory):
  """Pictures that are taken whole: nobody looks for a face."""
  folder = tmp_path_factory.mktemp('portraits')
  for i, name in enumerate(('p.png', 'q.jpg', 'r.png')):
    image = np.full((40, 40, 3), 60 * i + 20, np.uint8)
    cv2.imwrite(str(folder / name), image)
  return str(folder)


@pytest.fixture(autouse=True)
def no_face_is_looked_for(monkeypatch):
  for module in (clips, emotion):
    monkeypatch.setattr(module, 'find_crop', lambda image: CropBox(0, 0, 40))
