"""Short names for detections and for GenEval's metadata."""

import numpy as np


def row(x0, y0, x1, y1, score=0.95):
    return [x0, y0, x1, y1, score]


def at(x, y, half=5, score=0.95):
    """A square detection around (x, y)."""
    return row(x - half, y - half, x + half, y + half, score)


def scored(*scores):
    return np.array([row(0, 0, 10, 10, s) for s in scores], dtype=np.float32)


def no_colors(name, indices):
    raise AssertionError(f"nobody should ask for the color of {name} {indices}")


def want(name, count=1, **more):
    return {"class": name, "count": count, **more}


def task(*include, tag="two_object", exclude=()):
    metadata = {"tag": tag, "include": list(include), "prompt": "a photo"}
    return metadata | ({"exclude": list(exclude)} if exclude else {})


def counting(name, count):
    return task(want(name, count), tag="counting", exclude=[want(name, count + 1)])


def beside(relation, target=0):
    return task(want("dog"), want("cat", position=[relation, target]), tag="position")
