"""Where prompts come from: sources by name, files in several formats, and the choice of some.

Knows the generators of GenEval, the mixture and strings; nothing of cells, models or judges.
"""
