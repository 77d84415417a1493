"""The built-in worlds of strings: small enumerated ones, and molecules; their rewards and judge.

Knows methods and the noise ledger alone.
"""
