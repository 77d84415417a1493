"""Training of the miniature's models: ``python -m training STAGE``."""
