"""From the command line and YAML to validated cells, and the list of what there is.

Knows the registries of every room below it; loads no model.
"""
