"""One portrait and one driver in, one video file out.

The driver is speech (sound of any length) or a driving video. Memory stays
constant: sound is read, turned into motion, rendered and encoded chunk by
chunk.
"""

from collections.abc import Callable, Iterator
import dataclasses
import os
from pathlib import Path
import time
from typing import Any

import jax
import jaxlib
from ml_collections import ConfigDict
import numpy as np
import skimage
import tqdm

from takin_jax import compilation
from takin_jax.animation.chunks import LIVE, ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.data import media
from takin_jax.data.faces import CropBox, crop_image
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer import drivers, loading, output, session
from takin_jax.infer.auto_emotion import AutoEmotion
from takin_jax.infer.emotion import AUTO, Emotion, parse, strengthened
from takin_jax.infer.engine import Engine, pick_device
from takin_jax.infer.expression import read_expression
from takin_jax.infer.inputs import crop as crop_lib

DEFAULT_SPEECH = Path(__file__).parents[1] / 'assets' / 'hello.flac'

Note = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Job:
  """What to make, named as the options of infer.py.

  Attributes:
    source: portrait; None: scikit-image's astronaut.
    audio: speech; None: the default sentence.
    driving: a video instead of speech.
    output: the file to make.
    emotion: `NAME[:scale]`, a timeline of them or `auto`; None: the weights'
      default.
    emotion_from: picture or video whose expression is the emotion.
    emotion_scale: factor on the emotion.
    steps: of denoising; None: the weights' default.
    guidance: strength of the speech; None: the weights' default.
    seed: of the noise that becomes motion.
    pose_scale: factor on head movement.
    motion_scale: factor on expression.
    blinks: per minute, added to speech; None: the weights' default.
    relative: the changes of a driving video move the portrait.
    crop: 'auto', 'none' or 'x,y,size' in pixels of the portrait.
    driving_crop: likewise for the driving video.
    weights: folder or name.
    config: config file that the weights must belong to.
    dtype: compute type of the renderer, float32 or bfloat16.
    device: see `pick_device`.
    verbose: tell times and versions.
    stream: speech is 16 kHz s16le or WAV on the standard input.
    realtime: speech comes from `audio` at the speed of speech.
    look_ahead_ms: live: sound that is heard before a chunk is made.
    chunk_ms: live: length of a chunk.
    benchmark: measure instead of making a video.
  """

  source: str | None = None
  audio: str | None = None
  driving: str | None = None
  output: str = 'talking.mp4'
  emotion: str | None = None
  emotion_from: str | None = None
  emotion_scale: float = 1.0
  steps: int | None = None
  guidance: float | None = None
  seed: int = 0
  pose_scale: float = 1.0
  motion_scale: float = 1.0
  blinks: float | None = None
  relative: bool = True
  crop: str = 'auto'
  driving_crop: str = 'auto'
  weights: str | os.PathLike[str] = 'nano'
  config: str | None = None
  dtype: str = 'float32'
  device: str = 'auto'
  verbose: bool = False
  stream: bool = False
  realtime: bool = False
  look_ahead_ms: int = 200
  chunk_ms: int = 320
  benchmark: bool = False

  @property
  def speech(self) -> str | Path:
    """The sound file to speak."""
    return DEFAULT_SPEECH if self.audio is None else self.audio


@dataclasses.dataclass(frozen=True)
class Result:
  """What was made, and how fast.

  Attributes:
    path: the file.
    frames: number of frames.
    size_px: their side.
    start_s: seconds of loading and compiling.
    work_s: seconds from then to the finished file.
  """

  path: str
  frames: int
  size_px: int
  start_s: float
  work_s: float

  def __str__(self) -> str:
    length_s = self.frames / FRAME_RATE_HZ
    return (
      f'{self.path}: {self.frames} frames, {length_s:.1f} s at '
      f'{self.size_px}x{self.size_px}, made in {self.work_s:.1f} s after '
      f'{self.start_s:.1f} s of start-up: {self.frames / self.work_s:.0f} FPS, '
      f'real-time factor {self.work_s / length_s:.2f}'
    )


def animate(job: Job, note: Note) -> Result:
  """Does the job.

  Args:
    job: what to make.
    note: called with what the user should know meanwhile.

  Returns:
    What was made.

  Raises:
    InputError, MediaError, WeightsError: in one sentence what is wrong; no
      file was made.
  """
  start = time.perf_counter()
  model = open_model(job, note)
  if job.driving is not None:
    driver = drivers.Video(job.driving, job.driving_crop, model.controls)
  else:
    driver = drivers.Speech(job.speech, model.wish, job.seed)
  with media.VideoWriter(job.output, rate=driver.rate) as writer:
    # A change of emotion shows from the next chunk on: make them short.
    plan = LIVE if callable(model.emotion) else None
    engine = model.compile(video=job.driving is not None, plan=plan)
    ready = time.perf_counter()
    if job.verbose:
      note(f'ready after {ready - start:.2f} s')
    source = engine.source(model.portrait(engine.size_px))
    started = driver.frames(engine, source)
    with tqdm.tqdm(
      total=driver.count, unit='frame', disable=None, leave=False
    ) as bar:
      frames = _counted(output.fetch(started), bar)
      output.write_all(writer, frames, driver.sound())
  done = time.perf_counter()
  return Result(
    str(job.output), writer.frames, engine.size_px, ready - start, done - ready
  )


@dataclasses.dataclass(frozen=True)
class Model:
  """Weights, portrait and wishes of a job, read and checked.

  Attributes:
    config: of the weights, with the job's changes.
    params: by group.
    device: where to run.
    emotion: [3K] mean expression, a function that gives it, or None.
    controls: scales and limits.
    image: [H, W, 3] uint8 the portrait.
    box: its animated part.
    store: folder of compiled programs.
  """

  config: ConfigDict
  params: dict[str, Any]
  device: jax.Device
  emotion: Emotion | None
  controls: Controls
  image: np.ndarray
  box: CropBox
  store: Path

  def compile(
    self, video: bool = False, plan: ChunkConfig | None = None
  ) -> Engine:
    """The engine for these weights."""
    args = (self.config, self.params, self.device)
    return Engine(*args, video=video, plan=plan, store=self.store)

  def portrait(self, size_px: int) -> np.ndarray:
    """The animated part as [size_px, size_px, 3] uint8."""
    return crop_image(self.image, self.box, size_px)

  def wish(self) -> Controls | session.Changing:
    """Emotion and controls for a session."""
    emotion, controls = self.emotion, self.controls
    if callable(emotion):
      return lambda time_s, heard: controls.replace(
        emotion=emotion(time_s, heard)
      )
    return controls.replace(emotion=emotion)


def open_model(job: Job, note: Note) -> Model:
  """Reads all of a job but what drives it.

  Raises:
    InputError, MediaError, WeightsError: as `animate`.
  """
  cache = compilation.enable_cache()
  device = pick_device(job.device)
  if job.verbose:
    note(
      f'{device.device_kind} ({device}), jax {jax.__version__}, '
      f'jaxlib {jaxlib.__version__}; compiled programs in {cache.parent}'
    )
  config, params = loading.load(
    job.weights,
    job.config,
    job.dtype,
    sample_steps=job.steps,
    guidance_audio=job.guidance,
  )
  image, box = _portrait(job)
  return Model(
    config,
    params,
    device,
    _emotion(job, config, params),
    loading.controls(config, job.blinks).replace(
      motion_scale=job.motion_scale,
      pose_scale=job.pose_scale,
      relative=float(job.relative),
    ),
    image,
    box,
    cache.with_name('programs'),
  )


def _emotion(
  job: Job, config: ConfigDict, params: dict[str, Any]
) -> Emotion | None:
  """The emotion that the job asks for."""
  known = params.get('emotions', {})
  if job.emotion_from is not None:
    vector = read_expression(job.emotion_from, config, params)
    return strengthened(vector, known, job.emotion_scale)
  text = job.emotion or loading.infer_config(config).emotion
  if text == AUTO:
    return AutoEmotion(config, params, job.emotion_scale)
  return parse(text, known, job.emotion_scale) if text else None


def _portrait(job: Job) -> tuple[np.ndarray, CropBox]:
  """The portrait [H, W, 3] uint8 and the part of it that is animated."""
  crop = crop_lib.parse_crop(job.crop)
  if job.source is not None:
    image, name = media.read_image(job.source), str(job.source)
  else:
    # Eileen Collins, NASA, public domain; a function of skimage reads it too,
    # but imports much before.
    path = Path(skimage.__file__).parent / 'data/astronaut.png'
    image, name = media.read_image(path), 'the default portrait'
  return image, crop_lib.portrait_crop(image, crop, name)


def _counted(
  frames: Iterator[np.ndarray], bar: tqdm.tqdm
) -> Iterator[np.ndarray]:
  for frame in frames:
    yield frame
    bar.update()
