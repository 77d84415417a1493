"""The built-in world of molecules: a table of them, a trained denoiser, rewards and judge.

Knows methods, bench.tokens and the noise ledger alone.
"""
