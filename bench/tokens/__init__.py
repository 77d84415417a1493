"""Strings of tokens: small molecules as SMILES, their properties, and a trained UDLM.

Knows methods and the noise ledger alone.
"""
