"""Several hundred bad inputs: python tests/fuzz.py [group ...].

Every one must end in a right result or in one sentence, within a minute and
two gigabytes, leaving nothing behind. `pytest -m slow tests/test_fuzz.py` runs
it, too. A group is a generator of (name, function); each runs in a process of
its own, so that a crash of native code is seen and named.
"""

from collections.abc import Callable, Iterator
import contextlib
import io
import multiprocessing
import os
from pathlib import Path
import resource
import signal
import sys
import tempfile
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from takin_jax.data import faces, media  # noqa: E402
from takin_jax.data.faces import find  # noqa: E402
from takin_jax.errors import InputError  # noqa: E402
from tests import fuzz_files  # noqa: E402
from tests.data.media_files import tone  # noqa: E402

LIMIT_S, LIMIT_BYTES = 60, 2 << 30
REFUSED = 'refused'

_OPTIONS = (
  ['extra'],
  ['--zzz'],
  ['-s'],
  ['-s', '.'],
  ['-s', 'a\0b'],
  ['-a', '/nope'],
  ['-a', ''],
  ['-a', 'x' * 300],
  ['-a', '/dev/zero'],
  ['-d', '/nope'],
  ['-a', 'x', '-d', 'x'],
  ['--emotion-from', '/nope'],
  ['--dtype=float16'],
  ['--relative', '--absolute'],
  ['--stream', '--realtime'],
  ['--stream', '-a', 'x'],
  ['--stream', '-o', 'x.avi'],
  ['--realtime', '-d', 'x'],
  ['-o', ''],
  ['-o', '/dev/null'],
  ['-o', 'x.wav'],
  ['-o', 'no/x.mp4'],
)

# Gives 'refused' or nothing for a right result; raises for anything else.
Case = Callable[[], str | None]
Cases = Iterator[tuple[str, Case]]


def images(folder: Path) -> Cases:
  """Portraits: read, and searched for a face."""
  find.local_model = lambda: None

  def read(path: Path) -> None:
    image = media.read_image(path)
    assert image.dtype == np.uint8 and image.ndim == 3, image.shape
    with contextlib.suppress(media.MediaError):
      faces.find_crop(image)
    assert (
      faces.crop_image(image, faces.find_crop(image, 'none'), 64).any() >= 0
    )

  for path in fuzz_files.pictures(folder):
    yield path.name, lambda path=path: read(path)


def sounds(folder: Path) -> Cases:
  """Speech in files."""
  for path in fuzz_files.sounds(folder):
    yield path.name, lambda path=path: _heard(path)


def videos(folder: Path) -> Cases:
  """Driving videos: pictures and sound."""

  def seen(path: Path) -> None:
    frames = list(media.read_frames(path))
    assert 1 <= len(frames) < 100, len(frames)
    with contextlib.suppress(media.MediaError):
      _heard(path)

  for path in fuzz_files.videos(folder):
    yield path.name, lambda path=path: seen(path)


def pipes(folder: Path) -> Cases:
  """Sound on the standard input."""

  def listened(data: bytes) -> None:
    blocks = list(media.listen(io.BytesIO(data)))
    sound = np.concatenate([*blocks, np.zeros(0, np.float32)])
    assert np.isfinite(sound).all() and len(sound) < 10**6, len(sound)

  for name, data in fuzz_files.wavs():
    yield name, lambda data=data: listened(data)
  files = [*fuzz_files.sounds(folder)]
  for path in files:
    yield path.name, lambda path=path: listened(path.read_bytes())


def outputs(folder: Path) -> Cases:
  """Names of outputs, for files and for live videos."""
  os.mkfifo(folder / 'pipe.mp4')
  (folder / 'folder.mp4').mkdir()
  os.symlink('round.mp4', folder / 'round.mp4')
  os.symlink('/dev/full', folder / 'full.ts')
  os.symlink('/dev/null', folder / 'null.mp4')
  picture = np.zeros((32, 32, 3), np.uint8)

  def make(open_writer: Callable, name: str) -> None:
    before = set(os.listdir())
    try:
      with open_writer(name) as writer:
        for _ in range(3):
          writer.write(picture)
          writer.write_audio(tone(0.04))
    except InputError:
      assert set(os.listdir()) == before, set(os.listdir()) - before
      raise
    assert len(set(os.listdir()) - before) <= 1
    if not name.endswith('.rgb') and os.path.isfile(name):
      assert len(list(media.read_frames(name))) == 3

  def live(name: str) -> media.VideoWriter:
    return media.open_live(name, 16_000)

  names = ['', '.', '..', '/', 'new/', 'no/x.mp4', 'x' * 300 + '.mp4', 'a\0.ts']
  names += ['pipe.mp4', 'folder.mp4', 'round.mp4', 'null.mp4', '/dev/null']
  names += ['http://127.0.0.1:9/x.mp4', 'file:y.mp4', '12:30.mp4', '-y.mp4']
  names += ['x', '.mp4', 'x.wav', 'x.png', 'x.', 'x.mp4 ', 'x.MP4', 'x%d.mp4']
  names += ['x\n.mp4', 'x\t.ts', 'ü ä.mp4', os.fsdecode(b'x\xff.mp4'), 'x.mkv']
  names += ['x.mov', 'x.webm', 'x.gif', 'x.ts', 'x.rgb', '-x.ts', 'full.ts']
  for name in names:
    yield f'file {name[:40]!r}', lambda name=name: make(media.VideoWriter, name)
    if name != 'pipe.mp4':  # would wait for its reader
      yield f'live {name[:40]!r}', lambda name=name: make(live, name)


def crops(folder: Path) -> Cases:
  """Squares that somebody typed."""
  del folder
  image = np.zeros((300, 400, 3), np.uint8)
  values = (-1e300, -1e9, -301, -10, 0, 0.4, 50, 399, 1e5, 1e9, 1e300)
  corners = [(x, y) for x in values[::3] for y in values[1::3]]
  for x, y in corners:
    for size in (-5, 0, 0.4, 1, 300, 1e5, 1e9, 1e300):

      def cut(box=(x, y, size)) -> None:
        found = faces.find_crop(image, box)
        assert faces.crop_image(image, found, 64).shape == (64, 64, 3)

      yield f'{x:g},{y:g},{size:g}', cut


def flags(folder: Path) -> Cases:
  """Options that go wrong before anything is loaded."""
  del folder
  from takin_jax.cli import infer

  def run(*options: str) -> str | None:
    said = io.StringIO()
    with (
      contextlib.redirect_stderr(said),
      mock.patch('takin_jax.cli.infer._animate', return_value=''),
      mock.patch('takin_jax.cli.live.speak', return_value=''),
      contextlib.redirect_stdout(io.StringIO()),
    ):
      try:
        code = infer.main(list(options))
      except SystemExit as stop:
        code = stop.code
    text = said.getvalue()
    assert code in (0, 2), code
    assert text.count('\n') == (1 if code else text.count('\n')), text
    return REFUSED if code else None

  scales = ('-1', 'nan', 'inf', '1e400', 'abc', '', '101', '0', '100')
  for name in ('emotion-scale', 'guidance', 'pose-scale', 'motion-scale'):
    for value in (*scales, ' 1', '1_0'):
      yield f'--{name}={value}', lambda x=f'--{name}={value}': run(x)
  for name in ('steps', 'seed', 'chunk', 'look-ahead', 'blinks'):
    for value in ('0', '-1', '1.5', 'nan', 'abc', '', '9' * 30, '41', '5040'):
      yield f'--{name}={value}', lambda x=f'--{name}={value}': run(x)
  for options in _OPTIONS:
    yield ' '.join(options)[:60], lambda x=options: run(*x)


GROUPS = (images, sounds, videos, pipes, outputs, crops, flags)


def _heard(path: Path) -> None:
  sound = media.read_audio(path)
  assert np.isfinite(sound).all() and len(sound) < 10**6, len(sound)
  whole = sum(map(len, media.iter_channels(path, 48_000, 1920)))
  assert abs(whole / 3 - len(sound)) < 100, (whole, len(sound))


def judge(case: Case) -> str:
  """'made', 'refused', or what went wrong."""
  signal.alarm(LIMIT_S)
  try:
    return case() or 'made'
  except InputError as error:
    text = str(error)
    fine = text and '\n' not in text.replace('x\n', '') and text[-1] in '.;'
    return REFUSED if fine else f'no sentence: {text!r}'
  except BaseException as error:
    return f'{type(error).__name__}: {error}'
  finally:
    signal.alarm(0)


def _run_group(group: Callable[[Path], Cases], found) -> None:
  """In a process of its own."""
  signal.signal(signal.SIGALRM, _too_long)
  with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    sys.stderr = open(os.devnull, 'w')  # noqa: SIM115
    for name, case in group(Path(folder)):
      found.send((name, None))
      found.send((name, judge(case)))
    os.chdir('/')
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
  good = peak < LIMIT_BYTES
  found.send(('memory', 'made' if good else f'{peak >> 20} MB'))
  found.close()


def _too_long(*_: object) -> None:
  raise TimeoutError(f'more than {LIMIT_S} s')


def run(group: Callable[[Path], Cases]) -> dict[str, str]:
  """What became of every case of a group."""
  reader, writer = multiprocessing.Pipe(duplex=False)
  args = group, writer
  process = multiprocessing.get_context('fork').Process(
    target=_run_group, args=args
  )
  process.start()
  writer.close()
  found: dict[str, str] = {}
  with contextlib.suppress(EOFError):
    while True:
      name, result = reader.recv()
      found[name] = result or 'crashed'
  process.join()
  if process.exitcode:
    found['process'] = f'ended with {process.exitcode}'
  return found


def main(names: list[str]) -> int:
  """Prints a table, and what went wrong; returns the exit code."""
  total, bad = 0, []
  for group in GROUPS:
    if names and group.__name__ not in names:
      continue
    found = run(group)
    wrong = {k: v for k, v in found.items() if v not in ('made', REFUSED)}
    refused = sum(v == REFUSED for v in found.values())
    total += len(found)
    bad += wrong.items()
    print(
      f'{group.__name__:8} {len(found):4} tried, {refused:4} refused, '
      f'{len(found) - refused - len(wrong):4} made, {len(wrong):3} wrong',
      flush=True,
    )
    for name, what in wrong.items():
      print(f'  {name!r}: {what[:200]}')
  print(f'{total} tried, {len(bad)} wrong')
  return bool(bad)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
