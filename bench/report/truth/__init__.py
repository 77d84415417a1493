"""Where the truth is known: random Gaussian mixtures, exact targets, distances to them."""
