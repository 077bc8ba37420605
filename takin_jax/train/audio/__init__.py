"""Stage 2: speech to motion by diffusion."""
