"""Weights on disk: where they come from, whether they are whole, how they are read."""
