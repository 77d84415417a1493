"""Running cells: prompts one after the other, batches that fit, the meter and its yardstick.

Knows every room but the report.
"""
