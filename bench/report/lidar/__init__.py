"""What only LiDAR's paper needs: its published numbers, and the verdicts on its claims.

Knows the report's evidence; the rest of the report asks it for a table's columns and for verdicts.
"""
