"""Trains one stage: python train.py --config=configs/X.py --workdir=RUN."""

from takin_jax.cli.train import main

if __name__ == '__main__':
  main()
