"""Stage 2 of the nano model: motion from speech.

  python -m takin_jax.train.audio.articulation --records records \
    --speech runs/speech --out runs/articulation
  python train.py --config=configs/nano_audio.py --workdir=runs/audio \
    --config.data.records=records

Records come from takin_jax.data.prepare, the speech encoder from
configs/nano_speech.py; the first command fits the linear map that reads the
lips. Hardware: two CPU cores or any GPU. Time and scores:
takin_jax/weights/nano/MODEL_CARD.md.
"""

import importlib.util
import pathlib

from ml_collections import ConfigDict


def _nano_speech():
  path = pathlib.Path(__file__).with_name('nano_speech.py')
  spec = importlib.util.spec_from_file_location('nano_speech', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def get_denoiser() -> ConfigDict:
  """The values that make the denoiser small: 4.0 M parameters."""
  conformer = dict(
    dim=192, heads=4, ffn_dim=384, kernel=13, conv_norm='layer', dropout=0.2
  )
  return ConfigDict(
    dict(
      motion_dim=70,
      speech=dict(conformer, layers=2),
      motion=dict(conformer, layers=4),
    )
  )


def get_diffusion() -> ConfigDict:
  return ConfigDict(
    dict(
      steps=1500,
      schedule='cosine',
      # With eps (the paper's choice) the first of few steps divides by the
      # signal's share of 5e-5; v is well-conditioned at both ends.
      prediction='v',
      spacing='trailing',
      sample_steps=4,
      guidance_audio=1.0,  # as trained: one evaluation a step
      guidance_emotion=1.0,
      lip_noise=0.0,  # the lips follow the speech alone
      articulation_gain=1.75,  # of the linear map; lips move as real ones then
      head_noise_frames=4.0,  # a head turns, and does not shake
      smooth_frames=0.8,  # what few steps leave of the noise
      smooth_head_frames=1.0,
      window=125,  # frames, 5 s
      prefix=10,  # frames before the window
    )
  )


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.name = 'nano_audio'
  config.stage = 'audio'
  config.seed = 0
  config.data = ConfigDict(
    dict(
      records='records',  # folder made by takin_jax.data.prepare
      batch_size=8,  # windows
      speech_share=0.8,  # the rest shows faces without speech
      join_below=125,  # frames; shorter speech is joined by person
      cache='',  # folder of takin_jax.train.audio.extract: listens only once
      decorrelate=True,  # what moves together is one number to the denoiser
    )
  )
  config.model = ConfigDict(
    dict(
      dtype='float32',  # what networks compute in; GPUs: 'bfloat16'
      speech=_nano_speech().get_model(),
      articulation=dict(frames=5),  # that the linear map hears
      denoiser=get_denoiser(),
    )
  )
  config.diffusion = get_diffusion()
  config.loss = ConfigDict(
    dict(
      terms=dict(
        lips=2.0,  # weight of the 18 numbers of the lips
        pose=1.0,  # of the 7 of the head
        velocity=1.0,  # of the change from frame to frame
        smooth=0.0,  # of the change of that
      ),
      drop_audio=0.1,  # shares, for guidance
      drop_emotion=0.1,
      repeats=4,  # noise levels per window and step
      noisy_share=0.5,  # of them in the noisiest tenth
    )
  )
  config.optim = ConfigDict(
    dict(
      lr=8e-4,
      schedule='constant_then_linear',
      decay_from=0.35,
      warmup_steps=100,
      weight_decay=1e-2,
      clip_norm=1.0,
      ema_decay=0.995,
      freeze=('speech', 'articulation'),
    )
  )
  config.train = ConfigDict(
    dict(
      steps=650,  # with more the lips on held-out people get worse
      log_every=100,
      samples_every=500,
      init_from=(
        'runs/speech:speech',  # the distilled encoder
        'runs/articulation:articulation',  # the linear map
      ),
    )
  )
  config.eval = ConfigDict(
    dict(
      every=130,
      videos=2,  # with sound, of held-out faces, beside every sample
      renderer='nano',  # a weights folder or a run of stage 1
    )
  )
  config.checkpoint = ConfigDict(dict(every=130, keep=2))
  config.infer = ConfigDict(
    dict(
      emotion='neutral',  # when none is asked for
      max_pose_deg=15.0,  # the training people hardly turn further
      landmark_keypoints=True,  # lips close in silence, lids blink
      blinks_per_minute=20.0,
      # of the emotion is added to what the denoiser makes of it
      emotion_share=0.6,
    )
  )
  return config
