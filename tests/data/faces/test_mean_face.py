import numpy as np

from takin_jax import face
from takin_jax.data.faces import geometry, mean_face


def test_mirroring_twice_changes_nothing():
  mirror = mean_face.mirror()
  np.testing.assert_array_equal(mirror[mirror], np.arange(478))
  for left, right in ((33, 263), (61, 291), (468, 473), (13, 13)):
    assert mirror[left] == right


def test_keypoints_and_their_landmarks_mirror_alike():
  mirrored = mean_face.mirror()[geometry.LANDMARKS]
  np.testing.assert_array_equal(mirrored, geometry.LANDMARKS[face.MIRRORED])


def test_the_map_marks_what_was_chosen(tmp_path, capsys):
  config = tmp_path / 'config.py'
  config.write_text(
    'from ml_collections import ConfigDict\n'
    'def get_config():\n'
    '  loss = dict(landmark_indices=(1,), landmark_keypoints=(16,))\n'
    '  return ConfigDict(dict(loss=loss))\n'
  )
  out = tmp_path / 'map.png'
  args = ['--config', str(config), '--out', str(out)]
  assert mean_face.main(args) == 0 and out.stat().st_size > 1000
  red = (mean_face.draw((1,), (16,)) == mean_face._CHOSEN).all(-1)
  assert red.any() and not (mean_face.draw((), ()) == mean_face._CHOSEN).any()
  config.write_text(config.read_text().replace('landmark_indices', 'x'))
  assert mean_face.main(args) == 2
  assert 'landmark_indices' in capsys.readouterr().err
