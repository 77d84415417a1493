"""Where prompts come from: sources by name, files in several formats, and the choice of some.

Knows the generators of GenEval and of the mixture; nothing of cells, models or judges.
"""
