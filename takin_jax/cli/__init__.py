"""Command lines: one file a program, and what they share."""
