"""Table and chart from a results file; no PyTorch needed."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor
import pytest

from benchmarks import report

FILE = str(Path(__file__).with_name('results.json'))


def bar_px(image, baseline):
  """Longest row of pixels in the colour of a baseline, right of the labels."""
  colour = ImageColor.getrgb(report._COLOURS[baseline])
  same = (np.asarray(image) == colour).all(-1)
  return same[report._TOP :].sum(1).max()


def test_markdown(capsys):
  assert report.main([FILE]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].startswith('Some processor, 2 cores; jax 0.10.2')
  columns = {line.count('|') for line in lines[2:]}
  assert len(columns) == 1 and len(lines) == 6
  assert '| **2.00** | 1.90 | 1.3e-05 | 700.0 |  |' in lines[4]
  assert '| 1500 | **0.75** |' in lines[5] and '| 61% |' in lines[5]


def test_chart(tmp_path, capsys):
  out = tmp_path / 'chart.png'
  assert report.main([FILE, FILE, '--png', str(out)]) == 0
  assert capsys.readouterr().out == ''
  with Image.open(out) as image:
    image = image.convert('RGB')
  ratio = bar_px(image, 'torch eager') / bar_px(image, 'torch compile')
  assert abs(ratio - 2.0 / 0.75) < 0.1


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    (None, 'There is no file'),
    ('{', 'is not JSON'),
    ('[]', 'holds no results'),
    ('{"rows": [{"block": "F"}]}', 'holds no results'),
  ],
)
def test_bad_files(tmp_path, capsys, text, message):
  path = tmp_path / 'results.json'
  if text is not None:
    path.write_text(text)
  assert report.main([str(path), '--png', str(tmp_path / 'x.png')]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count('\n') == 1
  assert not (tmp_path / 'x.png').exists()


def test_folder_that_is_missing(tmp_path, capsys):
  out = tmp_path / 'none' / 'chart.png'
  assert report.main([FILE, '--png', str(out)]) == 2
  assert 'cannot be written' in capsys.readouterr().err


def test_example_has_the_schema():
  results = json.loads(Path(FILE).read_text())
  assert {'device', 'versions', 'commit', 'rows'} == set(results)
  assert all(set(row) == set(report.ROW_KEYS) for row in results['rows'])
