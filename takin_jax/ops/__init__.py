"""Arrays in, arrays out, no parameters."""
