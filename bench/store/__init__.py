"""A results folder: cells, records, images, locks; written here and read back here.

Knows nothing of methods, models or configuration files.
"""
