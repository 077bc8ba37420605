import json

from takin_jax.eval import __main__ as command


def _run(folder, *lines):
  folder.mkdir()
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  (folder / 'metrics.jsonl').write_text(text)
  return str(folder)


def test_runs_and_reports_stand_side_by_side(tmp_path, capsys):
  run = _run(
    tmp_path / 'run',
    {'step': 1, 'eval/psnr': 10.0},
    {'step': 2, 'loss': 3.0},
    {'step': 4, 'eval/psnr': 20.5, 'eval/landmark': 0.0123},
  )
  report = tmp_path / 'report'
  report.mkdir()
  tables = {
    'pairs': {'rows': {'own': {'psnr': 21.0}, 'copy': {'psnr': 1.0}}},
    'moves': {'rows': {'own': {'psnr': 5.0, 'lips_r': None}}},
  }
  (report / 'report.json').write_text(json.dumps({'tables': tables}))
  assert command.main(['compare', run, str(report)]) == 0
  lines = capsys.readouterr().out.strip().splitlines()
  assert [line.split(' | ')[0] for line in lines[2:]] == ['| run', '| report']
  assert '20.50' in lines[2] and '0.0123' in lines[2] and '10' not in lines[2]
  assert '21.00' in lines[3] and '–' in lines[3]


def test_a_folder_without_figures_is_named(tmp_path, capsys):
  for i, lines in enumerate([(), ({'step': 1, 'loss': 1.0},)]):
    folder = _run(tmp_path / f'empty{i}', *lines)
    assert command.main(['compare', folder]) == 2
    assert 'has no figures' in capsys.readouterr().err
  metrics = tmp_path / 'empty0' / 'metrics.jsonl'
  metrics.write_text('{"step": 1, "eval/psnr": 1.0}\n{"st')
  assert command.main(['compare', str(tmp_path / 'empty0')]) == 0
  metrics.write_text('{\n')
  assert command.main(['compare', str(tmp_path / 'empty0')]) == 2
  assert 'cannot be read' in capsys.readouterr().err
