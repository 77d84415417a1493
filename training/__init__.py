"""How the weights of the built-in miniature were made; not part of the installed package.

``python -m training all`` (or ``make train-miniature``) does everything again: an autoencoder of
64 × 64 icon scenes (vae), the GenEval detector that judges them (judge), the reward (preference),
the contrastive scorer that judges beside it (clip), the text-to-image model itself (diffusion), its
learning curve (curve), and the pipeline folder that ``bench.miniature`` loads (export). Every stage
draws its data from ``scenes``, keyed by seed and step, and resumes from its checkpoint in
``training/runs``. The judge, the reward and the contrastive scorer write their weights into
``bench/miniature/weights`` as soon as they are trained. How good each is: results/miniature.md.

This folder may know everything in ``bench`` and ``methods``; nothing there knows this folder.
"""
