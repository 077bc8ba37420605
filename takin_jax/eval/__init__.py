"""Figures of some weights: protocols, metrics, reports."""
