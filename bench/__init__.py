"""The harness: configuration, measurement, GenEval and reports around ``methods``."""
