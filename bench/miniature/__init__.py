"""The built-in world: a small text-to-image diffusion model of icon scenes, with its judges."""
