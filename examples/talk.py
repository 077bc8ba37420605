"""The Python API in one page: a video file, then a live session.

  python examples/talk.py

Makes talking.mp4 and smiling.mp4 with the weights that come with the package,
and plays a sentence to a portrait that listens.
"""

import numpy as np

import takin_jax


def main(pipe: takin_jax.Pipeline, portrait, speech, crop='auto') -> int:
  """Makes the videos; returns the number of live frames."""
  # A file: anything that is a picture, anything with sound.
  pipe.speak(portrait, speech, crop=crop).save('talking.mp4')

  # Frames one by one, and their sound beside them. An emotion that changes,
  # less head movement; everything may also be an array or a file object.
  clip = pipe.speak(
    portrait,
    (np.zeros(8_000, np.float32), 16_000),
    emotion='0:neutral,0.2:happy',
    controls={'pose_scale': 0.5},
    crop=crop,
  )
  for frame, sound in zip(clip, clip.sound(), strict=False):
    assert frame.dtype == np.uint8 and len(sound) <= 1920  # 48 kHz, 25 fps
  clip.save('smiling.mp4')

  # Live: feed sound as it comes, take the frames that it completes.
  session = pipe.session(portrait, emotion='neutral', crop=crop)
  microphone = np.zeros((100, 320), np.float32)  # 2 s in blocks of 20 ms
  frames = 0
  for block in microphone:
    for _ in session.feed(block):  # [H, W, 3] uint8
      frames += 1
  session.emotion = 'happy:0.5'  # from the next chunk on
  session.controls = session.controls.replace(motion_scale=1.2)
  kept = session.snapshot()
  list(session.feed(np.zeros(16_000, np.float32)))
  session.rewind(kept)  # interrupted: that second was never said
  return frames + len(list(session.flush()))


if __name__ == '__main__':
  count = main(
    takin_jax.load(), takin_jax.EXAMPLE_PORTRAIT, takin_jax.EXAMPLE_SPEECH
  )
  print(f'talking.mp4, smiling.mp4 and {count} live frames')
