"""What only cells with a known target need, on mixtures and strings: distances, estimators' errors.

Knows bench.mixture, for the target's contours.
"""
