"""A results folder -> evidence: a page with tables, figures and an image grid; and comparisons.

A function of the folder alone: knows bench.store and bench.stats, never conf/ or a model. What only
LiDAR's paper needs is in lidar/, what only cells with a known target need in truth/.
"""
