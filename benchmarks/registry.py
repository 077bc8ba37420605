"""Block -> how to build both sides of it."""

from benchmarks import (
  cases_render,
  cases_speech,
  cases_training,
  cases_whole,
)

BUILDERS = {
  'F': cases_render.appearance,
  'M': cases_render.motion,
  'W': cases_render.warping,
  'G': cases_render.generator,
  'frame': cases_render.frame,
  'hubert': cases_speech.hubert,
  'denoiser': cases_speech.denoiser,
  'audio_motion': cases_speech.audio_motion,
  'end_to_end': cases_whole.end_to_end,
  'train_audio': cases_training.train_audio,
  'train_motion': cases_training.train_motion,
}
