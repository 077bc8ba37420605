import runpy

import av
import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import face, renderer, weights
from takin_jax.train.audio.videos import TalkingVideos
from tests.data.fake_records import write_clip
from tests.train.test_smoke import SMOKE


def test_videos_have_every_frame_and_sound(tmp_path, monkeypatch):
  write_clip(tmp_path / 'records', 'v', 'ann', 'val', 30, speech=True)
  config = runpy.run_path(str(SMOKE))['get_config']('motion')
  init = jax.jit(lambda key: renderer.init(config.model, key))
  params = init(jax.random.key(0))
  weights.save(tmp_path / 'stage1', config, params)
  config.data.records = str(tmp_path / 'records')
  config.eval = ConfigDict(dict(videos=2, renderer=str(tmp_path / 'stage1')))
  motion = np.zeros((3, 30, 70), np.float32)
  motion[..., face.SCALE] = 1.0  # the head's size stays
  windows = {'wave': np.zeros((3, 30 * 640), np.float32)}
  TalkingVideos(config).write(windows, motion, tmp_path / '000007')
  names = sorted(p.name for p in tmp_path.glob('*.mp4'))
  assert names == ['000007_0.mp4', '000007_1.mp4']
  with av.open(str(tmp_path / names[0])) as video:
    assert video.streams.video[0].frames == 30
    assert video.streams.video[0].width == 64
    assert len(video.streams.audio) == 1
  config.eval.videos = 0
  TalkingVideos(config).write(windows, motion, tmp_path / 'none')
  assert not list(tmp_path.glob('none*'))
