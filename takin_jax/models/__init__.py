"""The networks; they do not know each other."""
