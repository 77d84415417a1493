"""What only LiDAR's paper needs: its published numbers, and the verdicts on its claims."""
