"""Malformed detections, metadata and settings are refused; scores need images."""

import math

import numpy as np
import pytest
from clauses import at, beside, no_colors, row, scored, task, want

from bench.geneval.protocol import by_task, evaluate, overall


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (np.zeros((3, 4)), "shape"),
        (np.zeros(5), "shape"),
        (np.zeros((0, 6)), "shape"),
        ([row(0, 0, math.nan, 1)], "finite"),
        ([row(0, 0, 1, 1, math.inf)], "finite"),
        ([row(0, 0, 1e300, 1)], "finite"),
    ],
)
def test_malformed_detections_are_refused(boxes, message):
    with pytest.raises(ValueError, match=f"'cat'.*{message}"):
        evaluate(task(want("dog")), {"dog": scored(0.9), "cat": boxes}, no_colors)


@pytest.mark.parametrize("target", [1, 2, -1, "0"])
def test_a_position_target_must_be_an_earlier_clause(target):
    with pytest.raises(ValueError, match="earlier include clause"):
        evaluate(beside("above", target), {"dog": [at(0, 0)], "cat": [at(9, 9)]}, no_colors)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"include": []}, "'tag'"),
        (task({"class": "dog"}), "'count'"),
        (task({"count": 1}), "'class'"),
        (task(want("dog", -1)), "integer >= 0"),
        (task(want("dog", 1.5)), "integer >= 0"),
        (beside("under"), "unknown position 'under'"),
    ],
)
def test_malformed_metadata_is_refused(metadata, message):
    with pytest.raises(ValueError, match=message):
        evaluate(metadata, {}, no_colors)


@pytest.mark.parametrize(
    "settings", [{"max_objects": 0}, {"max_overlap": 1.5}, {"position_threshold": -0.1}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match="expected max_objects"):
        evaluate(task(), {}, no_colors, **settings)


def test_the_headline_weighs_tasks_equally():
    verdicts = {"colors": [True, False, False, False], "counting": [True]}
    assert by_task(verdicts) == {"colors": 0.25, "counting": 1.0}
    assert overall(verdicts) == 0.625


@pytest.mark.parametrize("verdicts", [{}, {"colors": [True], "counting": []}])
def test_no_images_give_an_error_rather_than_a_score(verdicts):
    with pytest.raises(ValueError, match=r"at least one task|counting"):
        overall(verdicts)
