"""The built-in world whose truth is known: Gaussian mixtures, their rewards and their judge.

Knows methods and the noise ledger alone.
"""
