"""The built-in world: a small text-to-image model of icon scenes, its reward and its judges.

The weights lie in ``weights/`` and are part of the package; nothing is fetched or drawn here. How
they were made is in the folder ``training`` beside this package. This room may know GenEval's
vocabulary and protocol; the harness knows it only as a backbone, two rewards and a judge.
"""
