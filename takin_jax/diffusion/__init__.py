"""Noise schedules, samplers, and motion in their units."""
