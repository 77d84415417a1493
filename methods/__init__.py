"""The science: how expected future reward is estimated (``efr``), what a sampler does with it
(``steer``), and the one denoising loop (``sample``). Imports torch alone."""
