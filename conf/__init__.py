"""Hydra's configuration files, as a package so that they are installed with the code."""
