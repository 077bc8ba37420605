import json

import cv2
import numpy as np
import pytest

from takin_jax.eval.report import Report, Table, plain, sheet


def test_files_and_markdown(tmp_path):
  table = Table(
    'Two rows',
    {'ours': {'lpips': 0.12345, 'lips_r': float('nan')}, 'copy': {'x': None}},
    'A note.',
  )
  report = Report(
    command='self',
    settings={'weights': 'w', 'clips': ['a']},
    tables={'t': table},
    sheet=np.zeros((20, 30, 3), np.uint8),
    not_measured={'CSIM': 'no net'},
    details={'curve': np.array([1.0, np.nan], np.float32)},
  )
  report.write(tmp_path)
  data = json.loads((tmp_path / 'report.json').read_text())
  assert data['tables']['t']['rows']['ours']['lpips'] == 0.12345
  assert data['tables']['t']['rows']['ours']['lips_r'] is None
  assert data['details']['curve'] == [1.0, None]
  text = (tmp_path / 'report.md').read_text()
  assert '| ours | 0.1235 | – | – |' in text or '| ours | 0.1234 |' in text
  assert '| copy | – | – | – |' in text
  assert 'CSIM: not measured: no net' in text
  assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (20, 30, 3)


def test_plain():
  value = {1: (np.int64(2), np.array([True])), 'a': float('inf'), 'b': 'c'}
  assert plain(value) == {'1': [2, [True]], 'a': None, 'b': 'c'}


@pytest.mark.parametrize('px', [32, 256])
def test_sheet_takes_rows_of_any_length(px):
  image = np.full((px, px, 3), 7, np.uint8)
  made = sheet([[image], [image, image, image]], ['one', 'two'])
  assert made.shape == (18 + 2 * 160, 3 * 160, 3)
  assert (made[18:178, :160] == 7).all() and (made[18:178, 160:] == 255).all()
