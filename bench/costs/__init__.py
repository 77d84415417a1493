"""What methods cost, without a device: floating-point operations, and a model of seconds.

``operations`` counts what torch computes on tensors without data, ``parts`` does so for one sample
of each part of a model, ``devices`` has the peaks of some GPUs, ``model`` puts calls, parts and
peaks together, and ``page`` writes the report of ``experiment=cost_model``. This room may know
backbones, rewards and the report's building blocks; cells and runs are unknown to it.
"""
