"""Blocks with parameters that networks share."""
