"""Training runs -> weights that ship."""
