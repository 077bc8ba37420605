"""Stage 1 of the nano model: motion extractor and renderer at 256 x 256.

Five phases; the first two are independent and can run side by side, the third
teaches the renderer to follow the extractor's keypoints as well, the fourth
sharpens eyes and mouth before a patch discriminator, the last one trains the
painter of the mouth on what the others make:

  R=runs; C=configs/nano_motion.py
  python train.py --config=$C:extractor --workdir=$R/extractor
  python train.py --config=$C:renderer --workdir=$R/renderer
  python train.py --config=$C:joint --workdir=$R/joint \
    --config.train.init_from="('$R/extractor:motion','$R/renderer:appearance,warping,generator')"

  python train.py --config=$C:finish --workdir=$R/finish \
    --config.train.init_from="('$R/joint',)"

  python train.py --config=$C:mouth --workdir=$R/mouth \
    --config.train.init_from="('$R/finish:appearance,motion,warping,generator',)"

After the export, openings that are read too small are put right:

  python -m takin_jax.train.release.export $R/finish --out my_weights
  python -m takin_jax.train.release.calibrate --records records \
    --weights my_weights

Hardware: two CPU cores. Time and scores: takin_jax/weights/nano/MODEL_CARD.md.
"""

from ml_collections import ConfigDict

# Typical expression offset of each keypoint on the training people.
EXPRESSION_SCALE = (
  *(0.026, 0.024, 0.016, 0.035, 0.018, 0.033),  # mouth
  *(0.0125, 0.0082, 0.0133, 0.008),  # lids
  *(0.0109, 0.0111, 0.0066, 0.007),  # irises, eye corners
  *(0.0154, 0.0125, 0.0103, 0.0246),  # brows, nose, chin
  *(0.0108, 0.0094, 0.0088),  # cheeks, forehead
)


def get_model() -> ConfigDict:
  """The four modules; the values that make them small."""
  model = ConfigDict()
  model.dtype = 'float32'  # what networks compute in; GPUs: 'bfloat16'
  model.image_size = 256  # side of portraits and frames, pixels
  model.appearance = ConfigDict(
    dict(
      input_size=256,
      patch=4,
      channels=(32, 64),
      volume_channels=16,
      depth=4,
      blocks_2d=2,
      blocks_3d=0,
      strided=True,
      batch_norm=False,
      skip_channels=16,
      quiet=0.3,
    )
  )
  model.motion = ConfigDict(
    dict(input_size=128, num_points=48, widths=(24, 48, 96, 128), hidden=256)
  )
  model.warping = ConfigDict(
    dict(compress=4, fold_depth=True, widths=(48, 96, 128))
  )
  model.generator = ConfigDict(
    dict(
      channels=80, middle_blocks=2, up_channels=(40, 20), upscale=2, blend=True
    )
  )
  return model


def get_config(phase: str = 'joint') -> ConfigDict:
  """The config of a phase: extractor, renderer, joint, finish or mouth."""
  config = ConfigDict()
  config.name = f'nano_motion_{phase}'
  config.stage = 'motion'
  config.seed = 0
  config.data = ConfigDict(
    dict(
      records='records',  # folder made by takin_jax.data.prepare
      batch_size=8,  # pairs
      hard=0.8,  # share of pairs that differ in mouth or lids
      candidates=8,  # frames among which such a pair is chosen
    )
  )
  config.model = get_model()
  # AdamW, constant and then linear to 0, averaged parameters.
  config.optim = ConfigDict(
    dict(
      lr=7e-4,
      schedule='constant_then_linear',
      warmup_steps=40,
      decay_from=0.4,
      b2=0.99,
      clip_norm=2.0,
      ema_decay=0.998,
    )
  )
  config.train = ConfigDict(
    dict(steps=1300, log_every=100, samples_every=400, init_from=())
  )
  config.eval = ConfigDict(dict(every=400))
  config.checkpoint = ConfigDict(dict(every=200, keep=2))
  extractor = dict(
    landmark=10.0,  # keypoints to landmarks
    canonical=0.2,  # one person, one canonical shape
    head_pose=0.03,  # degrees
    expression=0.3,  # everything that moves, by its spread
    expression_scale=EXPRESSION_SCALE,
    gap=1.0,  # openings of mouth and eyes
    positions=5.0,  # heat maps to landmarks
  )
  renderer = dict(
    l1=2.0,
    mouth=5.0,  # extra weight of the mouth in it
    eyes=5.0,
    warped=0.5,
    perceptual=0.8,  # VGG-16 on a 64 px crop, mostly the mouth
    lpips=1.0,  # AlexNet on a 128 px crop
    teacher_share=1.0,  # landmarks stand in for the extractor
    surroundings=0.5,  # the background is nothing to the face, and stands
    colors=0.3,
    paint=1.0,  # paint belongs to mouth, eyes and what is uncovered
    still=2.0,  # what stands is not moved
  )
  mouth = dict(
    lips_l1=2.0,
    lips_lpips=1.0,
    lips_close_up=1.0,
    teacher_share=0.5,
    surroundings=0.0,
    colors=0.3,
  )
  picture_off = dict(l1=0.0, warped=0.0, perceptual=0.0, lpips=0.0)
  if phase == 'extractor':
    seen = dict(similarity=True, surroundings=0.6, colors=0.3)
    config.loss = ConfigDict({**extractor, **picture_off, **seen})
    config.data.batch_size = 16
    config.optim.lr = 1.5e-3
    config.train.steps = 3000
    config.optim.freeze = ('appearance', 'warping', 'generator')
  elif phase == 'renderer':
    config.loss = ConfigDict(renderer)
    config.optim.decay_from = 1.0  # the joint phase goes on
    config.optim.freeze = ('motion',)
  elif phase in ('joint', 'finish'):
    config.loss = ConfigDict(
      {
        **renderer,
        'teacher_share': 0.5,
        'reenactment': 0.3,  # the extractor judges the made frame
        'expression_scale': EXPRESSION_SCALE,
      }
    )
    config.optim.lr = 1.5e-3  # the mouth's inside is painted: generator first
    config.optim.lr_scale = ConfigDict(dict(appearance=0.5, warping=0.5))
    config.optim.decay_from = 0.5
    config.optim.ema_decay = 0.995
    config.optim.freeze = ('motion',)
    if phase == 'finish':
      _finish(config)
  elif phase == 'mouth':
    config.loss = ConfigDict({**picture_off, **mouth})
    config.model.mouth = ConfigDict(dict(height=64, width=80))
    config.optim.lr = 1.5e-3
    config.optim.decay_from = 0.5
    config.optim.ema_decay = 0.99
    config.optim.freeze = ('appearance', 'motion', 'warping', 'generator')
    config.train.steps = 2500
  else:
    raise ValueError(
      f'No phase {phase!r}: extractor, renderer, joint, finish or mouth.'
    )
  return config


def _finish(config: ConfigDict) -> None:
  """A discriminator; the extractor judges the mouth alone.

  Around the eyes it is pleased by marks that nobody else takes for lids.
  """
  unjudged = 1e3  # so wide a spread that errors do not count
  config.model.discriminator = ConfigDict(dict(block_expansion=16))
  config.optim.separate = ConfigDict(
    dict(discriminator=dict(lr=4e-4, b1=0.5))  # its own optimiser
  )
  config.loss.update(
    dict(
      l1=1.5,
      lpips=1.5,
      perceptual=1.0,
      eyes=8.0,
      reenactment=0.15,
      expression_scale=tuple(
        scale if i in (*range(6), 17) else unjudged  # mouth, chin
        for i, scale in enumerate(EXPRESSION_SCALE)
      ),
      gap_scale=(0.03, unjudged, unjudged),
      gan=0.06,  # hinge, on a 64 px crop of mouth or eye
      feature_matching=1.0,
    )
  )
  config.optim.lr = 8e-4
  config.optim.decay_from = 0.25
  config.train.steps = 1100
