"""A user's own file of prompts, in every format and in every bad state."""

import json
import time

import pytest

from bench.geneval.prompts import generate, to_jsonl
from bench.prompts.choice import choose
from bench.prompts.sources import check_source, load_prompts


def load(path, source="file"):
    settings = {"source": source, "path": str(path), "per_task": None, "limit": None}
    check_source(settings)
    return load_prompts(settings)


@pytest.fixture
def written(tmp_path):
    def write(content, name="prompts.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def texts(listing):
    return [prompt.text for prompt in listing.prompts]


def test_text_is_one_prompt_a_line_without_empty_lines_mark_and_line_endings(written):
    listing = load(written("\ufeffa cat\r\n\r\n  a ‘dog’, 犬 🐕 \n\t\n# not a comment"))
    assert texts(listing) == ["a cat", "a ‘dog’, 犬 🐕", "# not a comment"]
    assert [p.index for p in listing.prompts] == [0, 1, 2]
    assert listing.prompts[0].metadata == {"tag": "all", "prompt": "a cat"}


@pytest.mark.parametrize("column", ["prompt", "Prompt", "Prompts", "text", "Caption"])
def test_a_csv_s_other_columns_are_fields_and_a_category_is_the_tag(written, column):
    rows = f'\ufeffid,{column},Category\r\n7,"a cat, and\na ""dog""",Animals\r\n\r\n8,a car,\r\n'
    first, second = load(written(rows, "p.csv")).prompts
    assert (first.text, first.tag) == ('a cat, and\na "dog"', "Animals")
    assert first.fields == {"id": "7", "Category": "Animals"} and second.tag == "all"


def test_a_quotation_mark_in_a_tsv_is_a_character(written):
    (prompt,) = load(written('Prompt\tNote\n"G I" in paint\tx\n', "p.tsv")).prompts
    assert prompt.text == '"G I" in paint' and prompt.fields == {"Note": "x"}


@pytest.mark.parametrize("name", ["p.jsonl", "p.ndjson", "p.json"])
def test_json_is_read_a_line_each_or_as_a_list(written, name):
    rows = ["a cat", {"prompt": "a dog", "tag": "pets", "source": {"page": 3}}, {"text": "a car"}]
    lines = json.dumps(rows) if name == "p.json" else "\n\n".join(map(json.dumps, rows))
    listing = load(written(lines, name))
    assert texts(listing) == ["a cat", "a dog", "a car"]
    assert listing.prompts[1].tag == "pets"
    assert listing.prompts[1].fields == {"source": {"page": 3}}


def test_geneval_s_own_file_comes_back_as_the_generator_s_prompts(written):
    listing = load(written(to_jsonl(generate()), "evaluation_metadata.jsonl"))
    assert to_jsonl(p.metadata for p in listing.prompts) == to_jsonl(generate())
    assert not any(p.fields for p in listing.prompts)
    official = {"source": "geneval", "n": 100, "seed": 43}
    assert listing.sha256 == load_prompts(official).sha256


def test_of_equal_texts_the_first_is_kept_and_the_others_are_counted(written):
    listing = load(written("a cat\na dog\n a cat\na cat\n"))
    assert texts(listing) == ["a cat", "a dog"] and listing.duplicates == 2


def test_the_digest_is_of_what_the_file_says_not_of_its_name_or_format(written):
    text = load(written("a cat\na dog\n"))
    assert text.sha256 == load(written('prompt\na cat\n"a dog"\n', "other.csv")).sha256
    assert text.sha256 != load(written("a dog\na cat\n", "turned.txt")).sha256
    assert text.sha256 != load(written("prompt,tag\na cat,\na dog,x\n", "tags.csv")).sha256


def test_an_edited_file_is_read_again(written):
    assert texts(load(written("a cat"))) == ["a cat"]
    assert texts(load(written("a dog, now"))) == ["a dog, now"]


def test_a_hundred_thousand_lines_are_read_and_chosen_from_at_once(written):
    path = written("".join(f"a photo of number {n}\n" for n in range(100_000)))
    began = time.process_time()
    listing = load(path)
    chosen = choose(listing.prompts)
    assert time.process_time() - began < 2
    assert len(chosen) == 100_000 and load(path) is listing, "cells of a job share the list"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "\n \n", "p.txt holds no prompt"),
        ("p.txt", "", "p.txt holds no prompt"),
        ("p.csv", "prompt\n", "p.csv holds no prompt"),
        ("p.json", "[]", "p.json holds no prompt"),
        ("p.txt", b"a cat\ncaf\xe9\n", "p.txt, line 2: not UTF-8 text; save it as UTF-8"),
        ("p.txt", "a\n" + "x" * 10_001, "line 2: a prompt of 10001 characters, more than 10000"),
        ("p.csv", 'prompt\na\n"' + "x" * 200_000 + '"\n', "line 3: field larger than"),
        ("p.csv", "id,words\n1,a\n", "line 2: no column is named prompt, .*; there are id, words"),
        ("p.csv", "prompt,id\na cat, a dog,1\n", "line 2: 3 values for the 2 columns prompt, id"),
        ("p.jsonl", '"a"\n{"prompt": \n', "line 2: no valid JSON: "),
        ("p.jsonl", '{"prompt": "a", "x": NaN}', "line 1: no valid JSON: NaN is not JSON"),
        ("p.jsonl", '{"prompt": "a"}\n{"words": 3}', "line 2: no column .* there are words"),
        ("p.jsonl", '{"prompt": 3}', "line 1: prompt must be text, got 3"),
        ("p.jsonl", "3", "line 1: a prompt is text or an object with a prompt, got 3"),
        ("p.jsonl", r'"half \ud800"', "line 1: the prompt holds half a surrogate pair"),
        ("p.json", '{"prompt": "a"}', "a JSON list of prompts is expected"),
        ("p.json", "[1", "p.json: no valid JSON: "),
        ("p.json", '["a", 3]', "p.json, entry 2: a prompt is text or an object"),
        ("p.json", "[" * 100_000, "p.json: no valid JSON"),
    ],
)
def test_what_is_no_list_of_prompts_is_refused_with_file_and_line(written, name, content, message):
    with pytest.raises(ValueError, match=message):
        load(written(content, name))


def test_a_path_that_is_missing_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist; put there your prompts: text with"):
        load(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="is a folder; a file is expected"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"prompts.path=PATH must say where it is: your prompts"):
        check_source({"source": "file", "path": None})
