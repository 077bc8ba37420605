"""Synthetic speech, to widen what the speech encoder hears in training.

  python -m takin_jax.data.speech.synthesize --out DIR --minutes 60

Needs espeak-ng; uses flite as well if it is there. Sentences are put together
from the words below and from made-up words, spoken by random voices of many
languages at random speed and pitch.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
import shutil
import subprocess
import sys
import wave

import numpy as np
import tqdm

from takin_jax.cli.errors import command
from takin_jax.errors import InputError

_PATTERNS = (
  'The {a} {n} {v} the {n} {p} the {a} {n}.',
  'Why would the {n} of the {n} {b} {p} my {n}?',
  'We {b} every {n}, and they {b} {p} a {a} {n}.',
  '{d} {d} {d}, {d} {d}, {d} {d} {d} {d}.',
  'Please {b} the {n} before the {a} {n} {v} it!',
  'My {n}, your {n} and the {a} {n}: all of them {b} {p} this {n}.',
)
_WORDS = {
  'a': 'bright quiet warm purple enormous thin clever frozen happy wooden '
  'yellow strange beautiful curious heavy local vague smooth royal joyful',
  'n': 'river mother village picture thumb window measure garden chess voice '
  'journey pepper bubble shoe judge feather kitchen question month world '
  'year boat law hour azure earth weather music people future',
  'v': 'follows believes finds pushes teaches chooses remembers owns watches '
  'breathes carries forgives mixes enjoys proves',
  'b': 'follow push teach leave choose move remember watch bring carry jump '
  'laugh allow improve visit',
  'p': 'above under near behind without beyond through after for with',
  'd': 'zero one two three four five six seven eight nine ten twelve twenty '
  'forty hundred million',
}
_ONSETS = 'b d f g k l m n p r s t v z ch sh j h br tr st pl gr w y'
_VOWELS = 'a e i o u ai ou ei ia'
_CODAS = ('', '', '', 'n', 's', 'l', 'r', 't', 'm')
_LANGUAGES = (
  'en-us en-us en-gb en-gb-scotland en-us-nyc fr-fr de es it pt-br pt nl sv '
  'pl cs ro tr fi hu id sw vi el ca da hr'
)
_VARIANTS = (
  'f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 Alicia Andrea Annie anika adam '
  'benjamin david ed Gene Henrique iven linda marcelo Michael pablo paul '
  'quincy rob steph travis victor zac klatt4 grandma whisper'
)
_FLITE_VOICES = 'kal16 awb rms slt'
_PATTERN_SHARE, _FLITE_SHARE = 0.6, 0.15
_SENTENCES = 3


def _one_of(words: str, rng: np.random.Generator) -> str:
  return str(rng.choice(words.split()))


def sentence(rng: np.random.Generator, english: bool = True) -> str:
  """An English sentence from a pattern, or one of made-up words."""
  if english:
    text = rng.choice(_PATTERNS)
    for kind, words in _WORDS.items():
      while f'{{{kind}}}' in text:
        text = text.replace(f'{{{kind}}}', _one_of(words, rng), 1)
    return text
  words = []
  for _ in range(rng.integers(4, 9)):
    parts = [
      _one_of(_ONSETS, rng) + _one_of(_VOWELS, rng)
      for _ in range(rng.integers(1, 4))
    ]
    words.append(''.join(parts) + str(rng.choice(_CODAS)))
  return ' '.join(words) + '.'


def spoken(rng: np.random.Generator, path: Path, flite: bool) -> list[str]:
  """The command line that speaks one random text into a wave file."""
  if flite and rng.random() < _FLITE_SHARE:
    text = ' '.join(sentence(rng) for _ in range(_SENTENCES))
    stretch = f'duration_stretch={rng.uniform(0.75, 1.3):.2f}'
    voice = _one_of(_FLITE_VOICES, rng)
    return [
      *('flite', '-voice', voice, '--setf', stretch),
      *('-t', text, '-o', str(path)),
    ]
  language = _one_of(_LANGUAGES, rng)
  english = language.startswith('en') and rng.random() < _PATTERN_SHARE
  text = ' '.join(sentence(rng, english) for _ in range(_SENTENCES))
  return [
    *('espeak-ng', '-v', f'{language}+{_one_of(_VARIANTS, rng)}'),
    *('-s', str(rng.integers(110, 220)), '-p', str(rng.integers(15, 85))),
    *('-w', str(path), text),
  ]


@command('takin_jax.data.speech.synthesize')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(
    prog='python -m takin_jax.data.speech.synthesize',
    description=__doc__.split('\n')[0],
  )
  parser.add_argument('--out', type=Path, required=True, help='output folder')
  parser.add_argument('--minutes', type=float, default=60.0)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args(argv)
  if not shutil.which('espeak-ng'):
    raise InputError('espeak-ng is not installed: apt-get install espeak-ng.')
  flite = bool(shutil.which('flite'))
  args.out.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(args.seed)
  total_s, index = 0.0, 0
  with tqdm.tqdm(total=round(args.minutes), unit='min') as bar:
    while total_s < 60 * args.minutes:
      path = args.out / f'synthetic_{index:05d}.wav'
      subprocess.run(spoken(rng, path, flite), check=True)
      with wave.open(str(path)) as file:
        total_s += file.getnframes() / file.getframerate()
      index += 1
      bar.n = min(int(total_s / 60), bar.total)
      bar.refresh()
  return 0


if __name__ == '__main__':
  sys.exit(main())
