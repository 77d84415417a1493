"""GenEval (arXiv 2310.11513): its prompts, its protocol, and a detector for images of any size.

``prompts`` generates the official metadata and ``protocol`` judges an image from what was detected
in it; both are pure. The other files are one judge: Mask2Former finds the objects, CLIP names their
colors, and ``selftest`` makes it prove itself first. This room may know weights and, for CLIP,
rewards; backbones, cells and reports are unknown to it.
"""
