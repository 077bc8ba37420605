"""Public PyTorch checkpoints -> our weights folders."""
