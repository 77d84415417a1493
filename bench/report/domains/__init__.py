"""What only a folder of several domains needs: gains in a unit that all of them share.

A domain is a backbone, and of the mixture one path and dimension.
"""
