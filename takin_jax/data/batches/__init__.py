"""Endless batches of records for the training stages; NumPy only."""
