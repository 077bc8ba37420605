import json

from takin_jax.eval import __main__ as command
from takin_jax.eval import compare, paper
from tests import tiny


def report(folder, name, tables, **more):
  folder.mkdir(parents=True, exist_ok=True)
  tables = {key: {'rows': rows} for key, rows in tables.items()}
  text = json.dumps({'command': name, 'tables': tables, **more})
  (folder / 'report.json').write_text(text)


def self_report(folder, **figures):
  row = {'frechet_vgg': 12.34, 'csim': 0.5, 'psnr': 20.0, 'akd': 2.5} | figures
  tables = {
    'pairs': {'own': row, 'copy of the source': {'psnr': 15.0, 'fid': None}},
    'steadiness': {'own': {'leak_lips': 0.25, 'leak_lids': None}},
  }
  report(folder, 'self', tables, not_measured={'FID': 'no net'})


def test_ablation_table(tmp_path, capsys):
  self_report(tmp_path / 'full')
  self_report(tmp_path / 'neither', psnr=19.0)
  argv = ['compare', '--table', '4']
  argv += [str(tmp_path / name) for name in ('full', 'neither')]
  assert command.main(argv) == 0
  lines = capsys.readouterr().out.splitlines()
  assert 'Frechet VGG ↓ | CSIM ↑ | LPIPS ↓ | PSNR ↑' in lines[0]
  assert 'FID' not in lines[0]
  wanted = '| full | 12.3 | 0.500 | – | 20.00 | 2.50 | 0.250 | – |'
  assert lines[2] == wanted
  assert lines[3].startswith('| neither |') and '19.00' in lines[3]
  assert lines[4].startswith('| copy of the source | – | – | – | 15.00')
  assert 'FID: not measured: no net' in lines


def test_fid_only_if_every_row_has_it(tmp_path):
  self_report(tmp_path / 'a', fid=99.0)
  self_report(tmp_path / 'b')
  both = paper.paper_table(4, [tmp_path / 'a', tmp_path / 'b'])
  assert '99.0' not in both and 'Frechet VGG' in both
  alone = paper.paper_table(4, [tmp_path / 'a']).splitlines()
  assert 'FID' in alone[0] and '| 99.0 |' in alone[2]


def test_tables_of_video_and_audio_from_subfolders(tmp_path):
  self_report(tmp_path / 'mine' / 'self')
  cross = {'summary': {'mean over pairs': {'csim': 0.8, 'lpips': 0.3}}}
  report(tmp_path / 'mine' / 'cross', 'cross', cross)
  rows = {
    'own sound': {'ssim': 0.7, 'lips_r': 0.6},
    "another clip's sound": {'ssim': 0.6, 'lips_r': 0.0},
    'the real clips': {'ssim': 1.0, 'lips_r': 1.0},
  }
  why = {'LSE-D, LSE-C': 'no SyncNet'}
  report(
    tmp_path / 'mine' / 'audio', 'audio', {'summary': rows}, not_measured=why
  )
  text = paper.paper_table(2, [tmp_path / 'mine'])
  assert '| mine | 12.3 | 0.500 | – | – | 0.800 | 0.300 | – |' in text
  assert 'MOS-ET: not measured' in text
  text = paper.paper_table(3, [tmp_path / 'mine'])
  assert '| mine | 0.700 | – | – | 0.600 | – | – | – |' in text
  assert '| wrong audio | 0.600 |' in text and '| ground truth | 1.000' in text
  assert 'LSE-D, LSE-C: not measured: no SyncNet' in text


def test_what_is_missing_is_said(tmp_path, capsys):
  argv = ['compare', str(tmp_path), '--table', '3']
  assert command.main(argv) == 2
  assert 'no report of audio' in capsys.readouterr().err
  (tmp_path / 'report.json').write_text('{')
  assert command.main(argv) == 2
  assert 'cannot be read' in capsys.readouterr().err
  assert command.main(['compare', 'nano']) == 2
  assert '--records' in capsys.readouterr().err


def test_weights_are_measured_before_they_are_compared(
  tmp_path, capsys, monkeypatch
):
  weights = tiny.save(tmp_path / 'weights' / 'full')
  assert compare.is_weights(str(weights)) and compare.is_weights('nano')
  assert not compare.is_weights(str(tmp_path))
  seen = []

  def measured(args):
    seen.append((args.command, args.weights, args.frames))
    self_report(tmp_path / 'out' / 'full')

  monkeypatch.setattr(command, '_measured', measured)
  argv = ['compare', str(weights), '--records', 'r', '--out']
  argv += [str(tmp_path / 'out'), '--table', '4', '--frames', '2']
  assert command.main(argv) == 0
  assert seen == [('self', str(weights), 2)]
  assert '| full | 12.3 |' in capsys.readouterr().out
