"""Weights on disk: where they come from, whether they are whole, how they are read.

``source`` finds pinned files of the hub on this machine, ``hub`` downloads them, ``files`` checks
and reads one checkpoint, ``modules`` loads a network with no weight left to chance, ``needs`` lists
what a configuration needs. This room may know no other but ``bench.config``, and that only for its
command line.
"""
