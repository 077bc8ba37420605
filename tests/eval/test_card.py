import argparse
import json

import pytest

from takin_jax.errors import InputError
from takin_jax.eval import __main__ as command
from takin_jax.eval import card, goals


def _write(folder, part, tables):
  folder = folder / part
  folder.mkdir(parents=True)
  whole = {
    key: {'title': key, 'rows': rows, 'note': ''}
    for key, rows in tables.items()
  }
  text = json.dumps({'command': part, 'tables': whole})
  (folder / 'report.json').write_text(text)


def _pairs(lpips):
  return {'pairs': {'own motion extractor': {'lpips': lpips, 'csim': None}}}


def _argv(tmp_path, *more):
  argv = ['card', '--records', 'r', '--portraits', 'p', '--weights', 'new']
  return [*argv, '--out', str(tmp_path), *more]


def test_goals_name_figures_that_reports_have():
  """A goal whose report is renamed would be silently empty."""
  for goal in goals.GOALS:
    assert goal.report in card._PARTS and goal.report in command.COMMANDS
    assert goal.table in {*card._PARTS[goal.report][1], 'overall'}
  assert len({goal.what for goal in goals.GOALS}) == len(goals.GOALS)


def test_bounds():
  least = goals.Goal('a', 'self', 't', 'r', 'f', 0.5)
  most = least._replace(at_most=True)
  assert [least.met(x) for x in (0.4, 0.5, None)] == [False, True, None]
  assert [most.met(x) for x in (0.4, 0.6, float('nan'))] == [True, False, None]
  assert least.text == '≥ 0.50' and most.text == '≤ 0.50'
  watched = least._replace(bound=None)
  assert watched.met(1.0) is None and watched.text == ''
  assert least.value({}) is None


def test_every_part_is_a_command_line_that_parses(tmp_path):
  argv = _argv(tmp_path, '--speech', 'a.wav', '--seconds', '2', '--count', '3')
  args = command._parser().parse_args([*argv, '--face-net', 'net.onnx'])
  lines = card.commands(args, 'new')
  assert list(lines) == list(card._PARTS)
  parsed = {
    part: command._parser().parse_args(line) for part, line in lines.items()
  }
  assert parsed['probe'].speech == ['a.wav']
  assert parsed['self'].count == 3 and parsed['emotion'].seconds == 2
  assert parsed['cross'].face_net == 'net.onnx'
  assert parsed['replay'].out == str(tmp_path / 'new' / 'replay')
  args.speech, args.only = None, ['probe', 'quiet']
  assert list(card.commands(args, 'new')) == ['quiet']


def test_two_weights_stand_side_by_side(tmp_path, capsys, monkeypatch):
  lpips = {'old': 0.09, 'new': 0.07}

  def measured(args: argparse.Namespace):
    if args.command != 'self':
      raise InputError('no emotions')
    _write(tmp_path / args.weights, 'self', _pairs(lpips[args.weights]))

  monkeypatch.setattr(command, '_measured', measured)
  argv = _argv(tmp_path, '--against', 'old', '--only', 'self', 'emotion')
  assert command.main(argv) == 0
  page = capsys.readouterr().out
  assert '1 of 1 goals are met' in page
  assert '| self: LPIPS | ≤ 0.0780 | 0.0900 | 0.0700 | yes |' in page
  assert '| old: own motion extractor |' in page
  assert 'new/emotion: not measured: no emotions' in page
  assert page.strip() == (tmp_path / 'card.md').read_text().strip()
  data = json.loads((tmp_path / 'card.json').read_text())
  row = next(x for x in data['goals'] if x['what'] == 'self: LPIPS')
  assert row['values'] == lpips and row['met'] is True
  assert data['commands']['new']['self'][:3] == ['self', '--weights', 'new']


def test_what_cannot_be_measured_at_all_is_an_error(
  tmp_path, capsys, monkeypatch
):
  def fails(args):
    raise InputError('There are no records.')

  monkeypatch.setattr(command, '_measured', fails)
  assert command.main(_argv(tmp_path)) == 2
  assert 'There are no records.' in capsys.readouterr().err
  assert not (tmp_path / 'card.md').exists()
  args = command._parser().parse_args(
    _argv(tmp_path, '--against', 'old/../new')
  )
  with pytest.raises(InputError, match='named new'):
    card.names(args)
