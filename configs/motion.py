"""Stage 1 at full size: LivePortrait's renderer, 256 in, 512 out.

Fine-tunes converted weights, or trains from scratch without `init_from`:

  python -m takin_jax.convert liveportrait pretrained_weights --out lp
  python train.py --config=configs/motion.py --workdir=runs/motion \
    --config.data.records=records --config.train.init_from="('lp',)"

Records: takin_jax.data.prepare with --size 512. Hardware: the paper (Takin-ADA,
arXiv 2410.14283) trains 8 days on 8 A800. Time and scores: not yet measured.
docs/landmarks.png shows the landmarks that guide keypoints. Not in this
trainer: LivePortrait's losses of face regions and of identity.
"""

from ml_collections import ConfigDict

# Landmarks of MediaPipe's face mesh. The first ten carry expression.
LANDMARKS = (
  *(61, 291, 0, 17, 13, 14),  # mouth corners, outer and inner lips
  *(159, 145, 386, 374),  # lids: right upper and lower, left
  *(468, 473, 33, 263),  # irises, outer eye corners
  *(105, 334, 1, 152),  # brows, nose tip, chin
  *(234, 454, 10),  # cheeks, forehead
)


def get_model() -> ConfigDict:
  """The four modules; sizes that are not given are LivePortrait's."""
  return ConfigDict(
    dict(
      dtype='float32',  # what networks compute in; GPUs: 'bfloat16'
      image_size=512,  # side of portraits and frames, pixels
      appearance=dict(input_size=256),  # halves its input itself
      motion=dict(input_size=256, num_kp=21),
      warping=dict(),
      generator=dict(upscale=2),  # 2: 512 pixels, 1: 256
      discriminator=dict(block_expansion=32, num_blocks=4),  # training only
    )
  )


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.name = 'motion'
  config.stage = 'motion'
  config.seed = 0
  config.data = ConfigDict(
    dict(
      records='records',  # folder made by takin_jax.data.prepare
      batch_size=104,  # pairs, over all devices (paper)
      size_px=512,  # F and M reduce to 256; G makes 512
      jitter=0.1,  # colours
      hard=0.0,  # two random frames of one clip
      others=1,  # more pictures of the person, for the canonical loss
    )
  )
  config.model = get_model()
  config.loss = ConfigDict(
    dict(
      l1=0.0,
      perceptual=0.0,  # of a crop
      pyramid=10.0,  # VGG-16 at four scales
      gan=1.0,  # hinge, patch discriminator
      feature_matching=10.0,
      gan_px=512,  # it sees whole pictures
      mouth=0.0,  # no extra weight of regions
      eyes=0.0,
      landmark=10.0,  # Takin eq. 2
      wing=False,  # True: LivePortrait's wing function instead of Huber's
      landmark_indices=LANDMARKS,
      landmark_keypoints=tuple(range(21)),  # the keypoints that they guide
      canonical=1.0,  # Takin eq. 1
      equivariance=10.0,
      keypoint_prior=10.0,
      prior_distance=1e-3,  # squared; guided keypoints keep their distances
      head_pose=0.2,  # per degree
      deformation=5.0,
      teacher_share=0.0,  # keypoints are the extractor's own
    )
  )
  config.optim = ConfigDict(
    dict(
      lr=2e-4,
      schedule='constant_then_linear',
      warmup_steps=1000,
      decay_from=0.6,
      b1=0.5,
      b2=0.999,
      clip_norm=1.0,
      ema_decay=0.9999,
      separate=dict(discriminator=dict(lr=2e-4)),  # its own optimiser
    )
  )
  config.train = ConfigDict(
    dict(
      steps=300_000,
      log_every=100,
      samples_every=10_000,
      init_from=(),  # e.g. ('lp',), a converted folder
    )
  )
  config.eval = ConfigDict(dict(every=10_000))
  config.checkpoint = ConfigDict(dict(every=2000, keep=3))
  return config
