"""Speech encoder of the nano model: a small HuBERT, distilled.

  python -m takin_jax.data.speech.synthesize --out speech/synthetic \
    --minutes 75
  python -m takin_jax.data.speech.distill moonshine_tiny_encoder.ort \
    VAL_AUDIO... --out speech/val
  python -m takin_jax.data.speech.distill moonshine_tiny_encoder.ort \
    TRAIN_AUDIO... --copies 4 --out speech/train
  python -m takin_jax.data.speech.distill moonshine_tiny_encoder.ort \
    speech/synthetic --out speech/train
  python train.py --config=configs/nano_speech.py --workdir=runs/speech \
    --config.data.records=speech/train --config.data.eval_records=speech/val

Hardware: two CPU cores or any GPU. Time and scores:
takin_jax/weights/nano/MODEL_CARD.md.
"""

from ml_collections import ConfigDict


def get_model() -> ConfigDict:
  """The values that make HuBERT small: 3.5 M parameters."""
  return ConfigDict(
    dict(
      mel_bands=80,  # read from a spectrum at 100 Hz, not from samples
      conv_dims=(192, 256),
      conv_kernels=(3, 2),
      conv_strides=(1, 2),
      dim=256,
      layers=5,
      heads=4,
      ffn_dim=768,
      pos_kernel=32,  # 0.64 s
      pos_groups=256,  # one per channel
      dropout=0.1,
    )
  )


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.name = 'nano_speech'
  config.stage = 'speech'
  config.seed = 0
  config.data = ConfigDict(
    dict(
      records='speech/train',  # folder made by takin_jax.data.speech.distill
      eval_records='speech/val',  # other people; '': no evaluation
      batch_size=8,  # windows
      frames=150,  # length of a window, at 50 Hz
    )
  )
  config.model = ConfigDict(dict(speech=get_model()))
  config.loss = ConfigDict(
    dict(
      features=288,  # width of the teacher's features
      cosine=1.0,  # weight of the cosine term
    )
  )
  config.optim = ConfigDict(
    dict(
      lr=1.5e-3,
      schedule='constant_then_linear',
      decay_from=0.5,
      warmup_steps=60,
      b2=0.98,
      weight_decay=1e-2,
      clip_norm=1.0,
      ema_decay=0.998,
    )
  )
  config.train = ConfigDict(dict(steps=3600, log_every=50))
  config.eval = ConfigDict(dict(every=300, windows=32))
  config.checkpoint = ConfigDict(dict(every=250, keep=2))
  return config
