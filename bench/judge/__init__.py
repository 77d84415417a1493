"""Who judges what a method delivered: GenEval by a detector, an exact target, or nobody.

Knows rewards and detectors; nothing of cells or of how images were made.
"""
