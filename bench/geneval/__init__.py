"""GenEval (Ghosh et al., NeurIPS 2023, arXiv 2310.11513): prompts and judging protocol."""
