"""Media files, faces, records and batches; NumPy only, never JAX."""
