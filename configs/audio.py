"""Stage 2 at full size: HuBERT-large and a Conformer diffusion model.

  python -m takin_jax.convert hubert facebook/hubert-large-ls960-ft --out hubert
  python train.py --config=configs/audio.py --workdir=runs/audio \
    --config.data.records=records

With keypoints that do not follow landmarks, as LivePortrait's, motion must come
from the extractor: python -m takin_jax.train.extract --motion lp ..., then
--config.data.cache=cache --config.data.flip=0.0 (nobody knows which keypoint
mirrors which).

Takin-ADA (arXiv 2410.14283), section 3.2: the softmax-weighted sum of all 25
states of HuBERT-large, 50 -> 25 Hz by a strided convolution, 4 Conformer layers
for speech and 8 for motion, windows of 5 s, T = 1000, noise prediction. What
the paper leaves open follows AniTalker (width 512, kernel 13) and our own nano
model (prefix, guidance). Hardware: one GPU of 24 GB or more; the paper names
none. Time and scores: not yet measured.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.name = 'audio'
  config.stage = 'audio'
  config.seed = 0
  config.data = ConfigDict(
    dict(
      records='records',  # folder made by takin_jax.data.prepare
      batch_size=64,  # windows, over all devices
      speech_share=0.9,  # the rest shows faces without speech
      cache='',  # folder of takin_jax.train.audio.extract: listens only once
    )
  )
  conformer = dict(dim=512, heads=8, ffn_dim=2048, kernel=13, dropout=0.1)
  config.model = ConfigDict(
    dict(
      dtype='float32',  # what networks compute in; GPUs: 'bfloat16'
      speech=dict(dim=1024, layers=24),  # the rest is hubert-large by default
      denoiser=dict(
        motion_dim=70,  # exp 63, scale, t 3, pitch, yaw, roll
        speech=dict(conformer, layers=4),
        motion=dict(conformer, layers=8),
      ),
    )
  )
  config.diffusion = ConfigDict(
    dict(
      steps=1000,
      schedule='linear',
      beta_start=1e-4,
      beta_end=0.02,
      prediction='eps',  # paper, eq. 3
      spacing='leading',  # never divides by the signal's share at t = 999
      sample_steps=50,
      guidance_audio=1.5,  # 1: as trained
      guidance_emotion=1.0,
      window=125,  # frames, 5 s
      prefix=10,  # frames before the window
    )
  )
  config.loss = ConfigDict(
    dict(
      terms=dict(lips=1.0, pose=1.0, velocity=0.0, smooth=0.0),  # eq. 3 alone
      drop_audio=0.1,  # shares, for guidance
      drop_emotion=0.1,
    )
  )
  config.optim = ConfigDict(
    dict(
      lr=1e-4,
      schedule='warmup_cosine',
      warmup_steps=2000,
      weight_decay=0.0,
      clip_norm=1.0,
      ema_decay=0.9999,
      freeze=('speech',),
    )
  )
  config.train = ConfigDict(
    dict(
      steps=200_000,
      log_every=100,
      samples_every=10_000,
      init_from=('hubert:speech',),  # the converted encoder
    )
  )
  config.eval = ConfigDict(
    dict(
      every=10_000,
      videos=4,  # with sound, of held-out faces, beside every sample
      renderer='nano',  # a weights folder or a run of stage 1
    )
  )
  config.checkpoint = ConfigDict(dict(every=2000, keep=3))
  return config
