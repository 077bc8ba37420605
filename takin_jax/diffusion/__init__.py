"""Noise schedules, samplers, and motion as they see it."""
