"""GenEval's judging rules, one a test, and all of them against a naive evaluator."""

import numpy as np
import pytest
from clauses import at, beside, counting, no_colors, row, scored, task, want

from bench.geneval.prompts import POSITIONS
from bench.geneval.protocol import evaluate, iou, relations


def test_an_object_above_the_threshold_is_found():
    verdict = evaluate(task(want("dog")), {"dog": scored(0.31)}, no_colors)
    assert verdict.correct and verdict.reasons == [] and verdict.kept == {"dog": [0]}


def test_a_score_equal_to_the_float32_threshold_is_not_above_it():
    just_above = np.nextafter(np.float32(0.3), np.float32(1))
    assert float(np.float32(0.3)) > 0.3  # a float64 comparison would keep it
    for equal in (scored(0.3), np.array([row(0, 0, 9, 9, 0.3)], dtype=np.float64)):
        assert not evaluate(task(want("dog")), {"dog": equal}, no_colors).correct
    assert evaluate(task(want("dog")), {"dog": scored(just_above)}, no_colors).correct


def test_a_class_without_kept_detections_is_absent():
    detections = {"dog": scored(0.8), "cat": scored(0.1), "bus": np.zeros((0, 5)), "car": []}
    assert evaluate(task(want("dog")), detections, no_colors).kept == {"dog": [0]}


def test_detections_are_kept_in_order_of_confidence():
    verdict = evaluate(task(want("dog")), {"dog": scored(0.5, 0.2, 0.9, 0.7)}, no_colors)
    assert verdict.kept == {"dog": [2, 3, 0]}


@pytest.mark.parametrize("k", [3, 16, 100])
def test_equal_scores_are_ordered_latest_first(k):
    kept = evaluate(task(want("dog")), {"dog": scored(*[0.5] * k)}, no_colors, max_objects=100).kept
    assert kept["dog"] == list(range(k))[::-1]


def test_at_most_16_objects_a_class_are_kept():
    verdict = evaluate(task(want("dog")), {"dog": scored(*np.linspace(0.9, 0.4, 20))}, no_colors)
    assert verdict.kept["dog"] == list(range(16))


def test_the_cap_comes_before_suppression():
    detections = {"dog": [at(5, 5, score=0.9), at(5, 5, score=0.8), at(50, 5, score=0.7)]}
    verdict = evaluate(task(want("dog")), detections, no_colors, max_objects=2, max_overlap=0.5)
    assert verdict.kept == {"dog": [0]}  # the other order would keep [0, 2]


def test_identical_boxes_survive_without_suppression():
    assert evaluate(task(want("dog", 2)), {"dog": scored(0.9, 0.8)}, no_colors).correct


def test_a_suppressed_box_suppresses_nobody():
    chain = [row(0, 0, 9, 9, 0.9), row(4, 0, 13, 9, 0.8), row(8, 0, 17, 9, 0.7)]
    kept = evaluate(task(want("dog")), {"dog": chain}, no_colors, max_overlap=0.3).kept
    assert kept == {"dog": [0, 2]}


def test_overlap_counts_the_border_pixels():
    a, b = np.array(row(0, 0, 9, 9), np.float32), np.array(row(5, 0, 14, 9), np.float32)
    assert iou(a, b) == np.float32(50 / 150)  # 10 x 10 pixels each, 5 columns shared
    touching = np.array(row(9, 9, 18, 18), np.float32)
    assert iou(a, touching) == np.float32(1 / 199)


def test_an_overlap_equal_to_the_limit_is_suppressed():
    pair = [row(0, 0, 9, 9, 0.9), row(0, 0, 9, 4, 0.8)]  # IoU 50 / 100
    assert evaluate(task(), {"dog": pair}, no_colors, max_overlap=0.5).kept == {"dog": [0]}
    assert evaluate(task(), {"dog": pair}, no_colors, max_overlap=0.51).kept == {"dog": [0, 1]}


def test_counting_uses_its_own_threshold():
    detections = {"dog": scored(0.95, 0.92, 0.9, 0.6)}
    assert evaluate(counting("dog", 2), detections, no_colors).correct
    assert not evaluate(counting("dog", 2), detections, no_colors, counting_threshold=0.5).correct
    assert evaluate(task(want("dog", 4)), detections, no_colors).correct


@pytest.mark.parametrize(("found", "correct"), [(1, False), (2, True), (3, False)])
def test_counting_rules_out_one_too_few_and_one_too_many(found, correct):
    verdict = evaluate(counting("dog", 2), {"dog": scored(*[0.95] * found)}, no_colors)
    assert verdict.correct is correct
    assert len(verdict.reasons) == (not correct)


def test_more_objects_than_asked_for_are_fine_outside_counting():
    assert evaluate(task(want("dog")), {"dog": scored(0.9, 0.8, 0.7)}, no_colors).correct


def test_every_clause_must_hold():
    both = task(want("dog"), want("cat"))
    assert evaluate(both, {"dog": scored(0.9), "cat": scored(0.9)}, no_colors).correct
    verdict = evaluate(both, {"dog": scored(0.9)}, no_colors)
    assert not verdict.correct and len(verdict.reasons) == 1 and "cat" in verdict.reasons[0]


def test_an_excluded_class_may_be_one_that_is_not_included():
    metadata = task(want("dog"), exclude=[want("cat")])
    assert evaluate(metadata, {"dog": scored(0.9)}, no_colors).correct
    assert not evaluate(metadata, {"dog": scored(0.9), "cat": scored(0.9)}, no_colors).correct


def test_only_the_first_count_boxes_get_a_color():
    asked = []

    def colour_of(name, indices):
        asked.append((name, indices))
        return ["red"] * len(indices)

    metadata = task(want("dog", 2, color="red"), want("cat"), tag="colors")
    detections = {"dog": scored(0.5, 0.9, 0.4, 0.7), "cat": scored(0.9)}
    assert evaluate(metadata, detections, colour_of).correct
    assert asked == [("dog", [1, 3])]


def test_all_first_count_boxes_must_have_the_color():
    metadata = task(want("dog", 2, color="red"), tag="colors")
    detections = {"dog": scored(0.9, 0.8, 0.7)}  # the third would be red, but comes too late
    palette = ["red", "blue", "red"]
    verdict = evaluate(metadata, detections, lambda _, indices: [palette[i] for i in indices])
    assert not verdict.correct
    assert verdict.reasons == ["expected 2 of red dog, found 1 red, 1 blue"]


def test_colors_are_not_asked_for_when_too_few_objects_are_found():
    metadata = task(want("dog", 2, color="red"), tag="colors")
    assert not evaluate(metadata, {"dog": scored(0.9)}, no_colors).correct


def test_a_color_for_each_object_is_demanded():
    metadata = task(want("dog", color="red"), tag="colors")
    with pytest.raises(ValueError, match="color each"):
        evaluate(metadata, {"dog": scored(0.9)}, lambda name, indices: [])


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (100, 0, {"right of"}),
        (-100, 0, {"left of"}),
        (0, 100, {"below"}),
        (0, -100, {"above"}),
        (100, 100, {"right of", "below"}),
        (-100, -100, {"left of", "above"}),
        (100, 40, {"right of"}),
        (0, 0, set()),
    ],
)
def test_position_is_read_from_the_centers(x, y, expected):
    a, b = (np.array(box, np.float32) for box in (at(x, y, half=1), at(0, 0, half=1)))
    assert relations(a, b) == expected


def test_an_offset_is_shrunk_by_a_tenth_of_the_summed_sizes():
    # Sizes 40 + 60, so 10 pixels of offset vanish; 21 shrink to 11, more than half of 21.
    def right(x):
        a, b = (np.array(box, np.float32) for box in (at(x, 0, half=20), at(0, 0, half=30)))
        return relations(a, b)

    assert right(10) == set()
    assert right(20) == set()  # 10 / 20 is not more than 0.5
    assert right(21) == {"right of"}


def test_the_shrunken_offset_is_divided_by_the_raw_norm():
    # Offset (40, 40), shrunk to (30, 30): 30 / 56.6 = 0.53. At (30, 30): 20 / 42.4 = 0.47, which
    # the norm of the shrunken offset would have made 0.71.
    target = np.array(at(0, 0, half=25), np.float32)
    assert relations(np.array(at(40, 40, half=25), np.float32), target) == {"right of", "below"}
    assert relations(np.array(at(30, 30, half=25), np.float32), target) == set()


def test_the_position_threshold_is_a_setting():
    a, b = (np.array(box, np.float32) for box in (at(10, 0, half=25), at(0, 0, half=25)))
    assert relations(a, b) == set()
    assert relations(a, b, position_threshold=0) == {"right of"}
    detections = {"cat": [a], "dog": [b]}
    metadata = beside("right of")
    assert not evaluate(metadata, detections, no_colors).correct
    assert evaluate(metadata, detections, no_colors, position_threshold=0).correct


def test_an_offset_below_a_thousandth_of_a_pixel_is_no_relation():
    dots = [np.array(row(x, 0, x, 0), np.float32) for x in (0, 9e-4, 2e-3)]
    assert relations(dots[1], dots[0]) == set()
    assert relations(dots[2], dots[0]) == {"right of"}


def test_concentric_objects_are_in_no_relation():
    detections = {"dog": [at(50, 50)], "cat": [at(50, 50)]}
    assert not any(evaluate(beside(p), detections, no_colors).correct for p in POSITIONS)


def test_position_is_that_of_the_clause_seen_from_its_target():
    detections = {"dog": [at(100, 50)], "cat": [at(20, 50)]}
    assert evaluate(beside("left of"), detections, no_colors).correct
    assert not evaluate(beside("right of"), detections, no_colors).correct


def test_position_judges_only_the_most_confident_objects():
    detections = {
        "dog": [at(0, 0, score=0.5), at(100, 0, score=0.9)],
        "cat": [at(200, 0, score=0.5), at(50, 0, score=0.9)],
    }
    assert evaluate(beside("left of"), detections, no_colors).correct
    assert not evaluate(beside("right of"), detections, no_colors).correct


@pytest.mark.parametrize(("second_dog", "correct"), [(60, True), (140, False)])
def test_every_pair_of_object_and_target_must_satisfy_the_relation(second_dog, correct):
    metadata = task(want("dog", 2), want("cat", 2, position=["right of", 0]), tag="position")
    detections = {"dog": [at(0, 0), at(second_dog, 0)], "cat": [at(200, 0), at(100, 0)]}
    verdict = evaluate(metadata, detections, no_colors)
    assert verdict.correct is correct and len(verdict.reasons) == (not correct)


def test_a_missing_target_fails_the_relation_too():
    verdict = evaluate(beside("left of"), {"cat": [at(0, 0)]}, no_colors)
    assert len(verdict.reasons) == 2


def test_a_target_of_the_wrong_color_is_no_target():
    metadata = task(want("dog", color="red"), want("cat", position=["left of", 0]))
    detections = {"dog": [at(100, 0)], "cat": [at(0, 0)]}
    assert evaluate(metadata, detections, lambda *_: ["red"]).correct
    assert len(evaluate(metadata, detections, lambda *_: ["blue"]).reasons) == 2


def test_the_position_of_a_missing_or_miscolored_object_is_not_judged():
    metadata = task(want("dog"), want("cat", color="red", position=["left of", 0]))
    assert len(evaluate(metadata, {"dog": [at(0, 0)]}, no_colors).reasons) == 1
    detections = {"dog": [at(0, 0)], "cat": [at(100, 0)]}
    assert len(evaluate(metadata, detections, lambda *_: ["blue"]).reasons) == 1
