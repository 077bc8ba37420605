"""Both stages at toy size, on any records: does the machinery work here?

  python train.py --config=configs/smoke.py:motion --workdir=runs/smoke_motion
  python train.py --config=configs/smoke.py:audio --workdir=runs/smoke_audio

Hardware: one CPU core, about a minute for both. Score: losses fall; the
pictures are no good.
"""

from ml_collections import ConfigDict


def _motion() -> ConfigDict:
  """Stage 1 on 64 px pictures."""
  config = ConfigDict()
  config.model = ConfigDict(
    dict(
      dtype='float32',  # what networks compute in
      image_size=64,  # side of portraits and frames, pixels
      appearance=dict(
        input_size=64,
        patch=4,
        channels=(8, 16),
        volume_channels=4,
        depth=2,
        blocks_2d=1,
        blocks_3d=0,
        strided=True,
        batch_norm=False,
        skip_channels=4,
      ),
      motion=dict(
        input_size=32, num_points=24, widths=(8, 8, 16, 16), hidden=32
      ),
      warping=dict(fold_depth=True, widths=(8, 16, 16)),
      generator=dict(
        channels=16,
        middle_blocks=1,
        up_channels=(8, 8),
        blend=True,
        kp_hidden=8,
      ),
      discriminator=dict(block_expansion=4, num_blocks=2),
    )
  )
  config.data = ConfigDict(
    dict(records='records', batch_size=4, size_px=64, others=1)
  )
  config.loss = ConfigDict(
    dict(
      l1=2.0,
      perceptual=0.0,  # needs no downloaded network
      gan=0.1,
      feature_matching=1.0,
      landmark=5.0,
      canonical=0.2,
      equivariance=2.0,
      head_pose=0.03,
      teacher_share=0.5,
    )
  )
  return config


def _audio() -> ConfigDict:
  """Stage 2 with a speech encoder that starts from nothing."""
  config = ConfigDict()
  conformer = dict(
    dim=16, heads=2, ffn_dim=16, kernel=5, layers=1, conv_norm='layer'
  )
  config.model = ConfigDict(
    dict(
      speech=dict(
        conv_dims=(8,) * 7,
        dim=16,
        layers=1,
        heads=2,
        ffn_dim=16,
        pos_kernel=8,
        pos_groups=4,
      ),
      denoiser=dict(speech=conformer, motion=conformer),
      dtype='float32',
    )
  )
  config.data = ConfigDict(dict(records='records', batch_size=4))
  config.diffusion = ConfigDict(
    dict(window=25, prefix=5, sample_steps=2, prediction='v')
  )
  config.loss = ConfigDict(dict(drop_audio=0.1, drop_emotion=0.1))
  return config


def get_config(stage: str = 'motion') -> ConfigDict:
  """The config of a stage: 'motion' or 'audio'."""
  if stage not in ('motion', 'audio'):
    raise ValueError(f'No stage {stage!r}: motion or audio.')
  config = _motion() if stage == 'motion' else _audio()
  config.name = f'smoke_{stage}'
  config.stage = stage
  config.seed = 0
  config.optim = ConfigDict(
    dict(lr=2e-3, schedule='warmup_cosine', warmup_steps=5)
  )
  if stage == 'motion':
    config.optim.separate = ConfigDict(dict(discriminator=dict(b1=0.5)))
  config.train = ConfigDict(dict(steps=40, log_every=10))
  config.eval = ConfigDict(dict(every=0))
  config.checkpoint = ConfigDict(dict(every=20, keep=1))
  return config
