"""A loaded model and what can be done with it: speak, drive, listen.

In: portraits, speech and videos as paths, file objects or arrays. Out: frames
with their sound, made while they are taken. It knows no command line and says
nothing; what a caller should know goes to the logger `takin_jax`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax.animation import chunks as chunks_lib
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls, InferConfig
from takin_jax.errors import naming
from takin_jax.infer import reenactment
from takin_jax.infer.engine import Engine
from takin_jax.infer.frames import Clip, fetch
from takin_jax.infer.inputs import emotion as emotion_lib
from takin_jax.infer.inputs.controls import GivenControls, read_controls
from takin_jax.infer.inputs.driving import face_pictures, read_driving_video
from takin_jax.infer.inputs.portrait import Pictures, read_portrait
from takin_jax.infer.inputs.speech import OUTPUT_RATE_HZ, Given, read_speech
from takin_jax.infer.programs import Program
from takin_jax.infer.session import Emotion, Session, live_chunks, programs_of
from takin_jax.types import Source

Crop = str | Sequence[float]
GivenEmotion = str | Emotion | None


class Pipeline:
  """One loaded model on one device; `takin_jax.load` makes it.

  Attributes:
    config: of the weights.
    engine: runs the model.

  Example:
    >>> import takin_jax
    >>> pipe = takin_jax.load()
    >>> pipe.emotions
    ['angry', 'contempt', 'disgusted', 'fear', 'happy', 'neutral', ...]
    >>> pipe.speak('portrait.jpg', 'speech.mp3').save('talking.mp4')
  """

  def __init__(
    self,
    config: ConfigDict,
    params: dict[str, Any],
    device: jax.Device,
    store: Path | None = None,
  ):
    self.config = config
    self.engine = Engine(config, params, device, store)
    self.params, self._infer = params, InferConfig.of(config)

  @property
  def emotions(self) -> list[str]:
    """Names of the emotions that these weights know."""
    return sorted(self.params.get('emotions', {}))

  @property
  def controls(self) -> Controls:
    """How motion is put on the portrait when nothing else is asked for."""
    known = self._infer.landmark_keypoints
    return Controls(
      max_pose_deg=self._infer.max_pose_deg,
      blinks_per_minute=self._infer.blinks_per_minute if known else 0.0,
    )

  def speak(
    self,
    portrait: Pictures,
    speech: Given,
    *,
    emotion: GivenEmotion = None,
    controls: GivenControls = None,
    crop: Crop = 'auto',
    seed: int | None = None,
  ) -> Clip:
    """Makes a portrait say something.

    Args:
      portrait: path, file object or [H, W, 3] uint8 RGB.
      speech: sound: path, file object, [S] at 16 kHz, or ([S], rate in Hz).
      emotion: a name such as 'happy' or 'sad:0.5'; a timeline such as
        '0:neutral,2.5:happy'; 'auto' (heard); what `emotion` or `emotion_from`
        return; None: what suits the weights.
      controls: `Controls`, or what differs from those of `controls`.
      crop: the animated part of the portrait: 'auto' (the largest face),
        'none' (all of it) or (x, y, size) in pixels.
      seed: of the motion's noise, for another take; None: the speech decides.

    Returns:
      Its frames and sound.

    Raises:
      InputError: something given cannot be used.

    Example:
      >>> clip = pipe.speak('portrait.jpg', 'speech.mp3', emotion='happy:1.5')
      >>> clip.save('talking.mp4')
      >>> for frame in clip:  # [H, W, 3] uint8
      ...   show(frame)
    """
    emotion = self.emotion(emotion)
    controls = read_controls(controls, self.controls, self.config)
    # A change of emotion shows from the next chunk on: make them short.
    chunks = chunks_lib.LIVE if callable(emotion) else self._whole_windows()
    wanted = programs_of(chunks)
    picture, heard = self._read(portrait, crop, wanted), read_speech(speech)
    given = dict(chunks=chunks, seed=seed, levels_db=heard.levels_db)

    def start() -> Iterator[np.ndarray]:
      source = self._encode(picture, wanted)
      session = Session(self.engine, source, controls, emotion, **given)
      return session.play(heard.heard())

    sound = heard.sound, OUTPUT_RATE_HZ, heard.frame_count, heard.channels
    return Clip(start, *sound)

  def drive(
    self,
    portrait: Pictures,
    video: Pictures,
    *,
    controls: GivenControls = None,
    crop: Crop = 'auto',
    driving_crop: Crop = 'auto',
  ) -> Clip:
    """Makes a portrait move like the face in a video.

    Args:
      portrait: path, file object or [H, W, 3] uint8 RGB.
      video: path, file object or [T, H, W, 3] uint8 RGB at 25 Hz. A picture
        is held for ten seconds: its expression and pose as they are.
      controls: as for `speak`; `relative=0` takes the driving expression and
        pose as they are.
      crop: as for `speak`.
      driving_crop: likewise the part of the video that is followed.

    Returns:
      Its frames, and the video's sound.

    Raises:
      InputError: something given cannot be used.

    Example:
      >>> pipe.drive('portrait.jpg', 'driving.mp4').save('driven.mp4')
    """
    controls = read_controls(controls, self.controls, self.config)
    wanted = reenactment.PROGRAMS
    picture = self._read(portrait, crop, wanted)
    driving = read_driving_video(video, driving_crop)
    if driving.still:  # it has no changes
      controls = controls.replace(relative=0.0)

    def start() -> Iterator[np.ndarray]:
      source = self._encode(picture, wanted)
      crops = driving.crops(self.engine.size_px)
      return fetch(reenactment.reenact(self.engine, source, crops, controls))

    return Clip(
      start,
      driving.sound,
      driving.sample_rate_hz,
      channels=driving.channels,
    )

  def session(
    self,
    portrait: Pictures,
    *,
    emotion: GivenEmotion = None,
    controls: GivenControls = None,
    crop: Crop = 'auto',
    seed: int | None = None,
    chunk_ms: int = 320,
    look_ahead_ms: int = 200,
  ) -> Session:
    """A portrait that speaks while it listens.

    Args:
      portrait: as for `speak`, as are emotion, controls, crop and seed.
      emotion: may be set again on the session, as may `controls`.
      controls: see there.
      crop: see there.
      seed: see there.
      chunk_ms: milliseconds of video made at a time, a multiple of 40.
      look_ahead_ms: of sound heard before a chunk is made, likewise.

    Returns:
      A session whose programs are ready.

    Raises:
      InputError: something given cannot be used.

    Example:
      >>> session = pipe.session('portrait.jpg')
      >>> for block in microphone:  # [S] float32 at 16 kHz
      ...   for frame in session.feed(block):  # [H, W, 3] uint8
      ...     show(frame)
    """
    chunks = live_chunks(chunk_ms, look_ahead_ms)
    controls = read_controls(controls, self.controls, self.config)
    emotion = self.emotion(emotion)
    wanted = programs_of(chunks)
    picture = self._read(portrait, crop, wanted)
    return Session(
      self.engine,
      self._encode(picture, wanted),
      controls,
      emotion,
      chunks=chunks,
      seed=seed,
      resolve=self.emotion,
    )

  def emotion(self, wanted: GivenEmotion, scale: float = 1.0) -> Emotion | None:
    """What `speak` and `session` take, ready to be used.

    Args:
      wanted: as for `speak`; '' is none at all.
      scale: factor on the emotion; 0 is neutral.

    Returns:
      [3K] mean expression, a function that gives it over time, or None.

    Raises:
      InputError: these weights do not know it.
    """
    if wanted is None:
      wanted = self._infer.emotion
    device = self.engine.device
    return emotion_lib.resolve(wanted, self.config, self.params, scale, device)

  def emotion_from(self, face: Pictures, scale: float = 1.0) -> np.ndarray:
    """The expression of a face, as an emotion.

    Args:
      face: path or file object of a picture, or of a video of which the mean
        is taken.
      scale: as for `emotion`.

    Returns:
      [3K] mean expression.

    Raises:
      InputError: there is no face.

    Example:
      >>> smile = pipe.emotion_from('smile.jpg')
      >>> clip = pipe.speak('portrait.jpg', 'speech.mp3', emotion=smile)
    """
    with naming('emotion_from'):
      pictures = face_pictures(face, self.engine.size_px)
      seen = [self.engine.extract_motion(picture).exp for picture in pictures]
    vector = np.mean(seen, 0).reshape(-1)
    known = self.params.get('emotions', {})
    return emotion_lib.strengthened(vector, known, scale)

  def _whole_windows(self) -> ChunkConfig:
    """Sound that is all there is cut as in training."""
    return ChunkConfig(chunk=self.engine.diffusion.window)

  def _read(
    self, portrait: Pictures, crop: Crop, wanted: Sequence[Program]
  ) -> np.ndarray:
    """The animated part as the model sees it, if it has what is wanted."""
    self.engine.require(*wanted)
    return read_portrait(portrait, crop).crop(self.engine.size_px)

  def _encode(self, picture: np.ndarray, wanted: Sequence[Program]) -> Source:
    """Makes programs ready, and the portrait."""
    self.engine.compile(*wanted)
    return self.engine.encode_source(picture)
