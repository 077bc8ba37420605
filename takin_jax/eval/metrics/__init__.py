"""Figures of pictures, faces, lips and sound, and the networks behind them."""
