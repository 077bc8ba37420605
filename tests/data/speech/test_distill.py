import wave

import numpy as np
import pytest

from takin_jax.data.speech import distill, recordings, synthesize

RATE = 16_000


class Teacher:
  """Answers with the time of each of its frames, in samples."""

  def run(self, _, feeds):
    samples = feeds['input_values'].shape[1]
    frames = int((samples - distill.TEACHER_FIRST) / distill.TEACHER_HOP) + 1
    at = distill.TEACHER_FIRST + distill.TEACHER_HOP * np.arange(frames)
    return [np.repeat(at[None, :, None], 2, -1).astype(np.float32)]


@pytest.fixture
def sounds(tmp_path):
  folder = tmp_path / 'sounds'
  folder.mkdir()
  rng = np.random.default_rng(0)
  for name, seconds in (('long', 3.5), ('short', 0.4)):
    with wave.open(str(folder / f'{name}.wav'), 'wb') as file:
      file.setparams((1, 2, RATE, 0, 'NONE', ''))
      samples = rng.integers(-3000, 3000, int(seconds * RATE))
      file.writeframes(samples.astype('<i2').tobytes())
  return folder


def test_features_lie_at_our_frames():
  audio = np.zeros(2 * RATE, np.float32)
  features = distill.teacher_features(Teacher(), audio)
  assert features.shape == (recordings.frame_count(len(audio)), 2)
  at = distill.STUDENT_FIRST + distill.STUDENT_HOP * np.arange(len(features))
  inside = slice(2, -2)
  np.testing.assert_allclose(features[inside, 0], at[inside], rtol=1e-5)


def test_command(sounds, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(distill, 'load_teacher', lambda path: Teacher())
  out = tmp_path / 'out'
  arguments = ['teacher.ort', str(sounds), '--out', str(out)]
  distill.main([*arguments, '--chunk-s', '1.5', '--copies', '1'])
  names = sorted(path.name for path in out.glob('*.npz'))
  pieces = [f'long_{i:03d}_{copy}.npz' for i in (0, 1) for copy in (0, 1)]
  assert names == [*pieces, recordings.STATS_FILE]
  records = recordings.SpeechRecords(out)
  features = np.concatenate([r['features'] for r in records])
  np.testing.assert_allclose(features.mean(0), 0, atol=0.01)
  np.testing.assert_allclose(features.std(0), 1, atol=0.01)
  before = {p: p.stat().st_mtime_ns for p in out.glob('long*')}
  distill.main([*arguments, '--chunk-s', '1.5', '--copies', '1'])
  assert before == {p: p.stat().st_mtime_ns for p in out.glob('long*')}
  assert '4 records' in capsys.readouterr().out


def test_nothing_to_hear(sounds, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(distill, 'load_teacher', lambda path: Teacher())
  short = str(sounds / 'short.wav')
  assert distill.main(['t.ort', short, '--out', str(tmp_path / 'none')]) == 2
  assert 'a second or more' in capsys.readouterr().err


def test_sentences_have_no_gaps():
  rng = np.random.default_rng(0)
  for english in (True, False):
    for _ in range(50):
      text = synthesize.sentence(rng, english)
      assert '{' not in text and len(text.split()) > 3


def test_commands_name_a_file(tmp_path):
  rng = np.random.default_rng(0)
  programs = set()
  for _ in range(40):
    command = synthesize.spoken(rng, tmp_path / 'x.wav', flite=True)
    assert str(tmp_path / 'x.wav') in command
    programs.add(command[0])
  assert programs == {'espeak-ng', 'flite'}
