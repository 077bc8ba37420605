"""The same work through Ray."""

import functools
import socket
import sys

import pytest

from takin_jax.data import media
from takin_jax.data.prepare import cluster
from takin_jax.data.prepare.clips import Clip
from takin_jax.data.prepare.quality import Limits
from takin_jax.data.prepare.shot_record import Job
from takin_jax.data.prepare.video_file import prepare_file


def test_without_ray(monkeypatch):
  monkeypatch.setitem(sys.modules, 'ray', None)
  with pytest.raises(media.MediaError, match='pip install'):
    list(cluster.map_items(str, [1], None))


def test_nobody_at_the_address():
  pytest.importorskip('ray.data')
  with socket.socket() as taken:  # a port on which nobody listens
    taken.bind(('127.0.0.1', 0))
    address = f'127.0.0.1:{taken.getsockname()[1]}'
    with pytest.raises(media.MediaError, match='no Ray cluster at 127.0.0.1'):
      list(cluster.map_items(str, [1], address))


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
