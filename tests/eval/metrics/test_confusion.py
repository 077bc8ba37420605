from takin_jax.data.faces.blendshapes import SIGNS
from takin_jax.eval.metrics import confusion


def test_the_pattern_with_the_right_signs_is_nearest():
  for emotion in SIGNS:
    change = dict.fromkeys(SIGNS[emotion], 0.2)
    assert confusion.nearest(change, SIGNS, 0.05) == emotion
  # Cosines: fear (1 + 1) / sqrt 2, surprised (1 + 1 + .9) / sqrt 3.
  change = {'browInnerUp': 1, 'eyeWide': 1, 'jawOpen': 0.9}
  assert confusion.nearest(change, SIGNS, 0.05) == 'surprised'
  assert confusion.nearest(change | {'jawOpen': 0.1}, SIGNS, 0.05) == 'fear'


def test_small_changes_are_none():
  assert confusion.nearest({'mouthSmile': 0.04}, SIGNS, 0.05) == 'none'
  assert confusion.nearest({'mouthSmile': -0.4}, SIGNS, 0.05) == 'none'
  assert confusion.nearest({}, SIGNS, 0.05) == 'none'


def test_table_counts_portraits():
  signs = {name: SIGNS[name] for name in ('happy', 'angry')}
  changes = {
    'p': {'happy:2': {'mouthSmile': 0.3}, 'angry': {'mouthSmile': 0.2}},
    'q': {'happy:2': {'mouthSmile': 0.1}, 'angry': {'browDown': 0.2}},
    'r': {'happy:2': {}, 'angry': {'browDown': 0.2}},
  }
  rows = confusion.table(changes, ['happy:2', 'angry'], signs, 0.05).rows
  assert rows['happy:2'] == {'happy': '2', 'angry': '0', 'none': '1'}
  assert rows['angry'] == {'happy': '1', 'angry': '2', 'none': '0'}
