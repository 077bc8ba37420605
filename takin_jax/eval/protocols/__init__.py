"""What is made and judged: one file a command of `takin_jax.eval`."""
