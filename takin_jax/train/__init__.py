"""Training: the loop, and one folder a stage."""
