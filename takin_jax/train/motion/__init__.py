"""Stage 1: motion extractor and renderer."""
