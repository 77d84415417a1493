"""Who judges what a method delivered: GenEval by a detector, an exact target, or by rewards alone.

Knows prompts, rewards and detectors; nothing of cells or of how images were made.
"""
