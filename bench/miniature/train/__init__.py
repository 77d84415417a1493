"""Training of the miniature's models: ``python -m bench.miniature.train STAGE``."""
