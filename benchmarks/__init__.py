"""Measured against baselines that are built beside the system, in the same run: ratios count, seconds drift."""
