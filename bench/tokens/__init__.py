"""The built-in world of strings of tokens whose truth is known, and what every prior over strings
shares.

Knows methods and the noise ledger alone.
"""
