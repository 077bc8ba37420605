"""The speech encoder, distilled from a larger one."""
