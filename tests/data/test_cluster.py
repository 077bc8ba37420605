"""The same work through Ray."""

import functools

import pytest

from takin_jax.data import cluster, media
from takin_jax.data.clips import Clip
from takin_jax.data.prepare_file import prepare_file
from takin_jax.data.quality import Limits
from takin_jax.data.shot_record import Job


def test_without_ray(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'ray', None)
  with pytest.raises(media.MediaError, match='pip install'):
    list(cluster.map_items(str, [1], None))


def test_ray_does_what_a_process_does(tmp_path):
  """Unreadable files suffice: their lines go the whole way."""
  pytest.importorskip('ray.data')
  items = []
  for name in ('a', 'b', 'c'):
    path = tmp_path / f'{name}.mp4'
    path.write_bytes(b'no video')
    items.append(Clip(path, path.name, name))
  (tmp_path / 'clips').mkdir()
  job = Job(tmp_path, 64, tmp_path / 'none.task', Limits(max_yaw=40))
  work = functools.partial(prepare_file, job=job)
  done = list(cluster.map_items(work, items, None))
  wanted = [work(item) for item in items]
  assert sorted(done, key=lambda x: x[0]['id']) == wanted
