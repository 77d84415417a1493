"""What only cells on the mixture need, where the target is known: distances and estimators' errors.

Knows bench.mixture, for the target's contours.
"""
