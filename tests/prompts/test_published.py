"""Files of published benchmarks in their authors' layout, with texts of our own."""

import json

import pytest

from bench.config.compose import cell_settings, groups
from bench.prompts.sources import SOURCES, check_source, load_prompts


def load(source, path):
    return load_prompts({"source": source, "path": str(path)}).prompts


def test_drawbench_and_partiprompts_are_tables_with_a_category(tmp_path):
    table = tmp_path / "drawbench.csv"
    table.write_text('Prompts,Category\n"One car, red.",Colors\nTwo cars.,Counting\n')
    first, second = load("drawbench", table)
    assert (first.text, first.tag, second.tag) == ("One car, red.", "Colors", "Counting")
    table = tmp_path / "PartiPrompts.tsv"
    table.write_text('Prompt\tCategory\tChallenge\tNote\n"A" in paint\tArts\tBasic\t\n')
    (prompt,) = load("partiprompts", table)
    assert (prompt.text, prompt.tag) == ('"A" in paint', "Arts")
    assert prompt.fields == {"Category": "Arts", "Challenge": "Basic", "Note": ""}


def test_hpdv2_is_a_list_a_style(tmp_path):
    (tmp_path / "benchmark_imgs").mkdir()
    for name in ("anime", "benchmark_photo"):
        (tmp_path / f"{name}.json").write_text(json.dumps([f"{name} 0", f"{name} 1"]))
    found = [(p.tag, p.text) for p in load("hpdv2", tmp_path)]
    assert ("anime", "anime 0") in found and ("photo", "benchmark_photo 1") in found
    assert len(found) == 4


def test_dpg_is_a_text_file_a_prompt_whose_name_is_kept(tmp_path):
    for name in ("10", "9", "COCOval2014000000000164"):
        (tmp_path / f"{name}.txt").write_text(f"A long prompt\nof {name}.\n")
    prompts = load("dpg", tmp_path)
    assert [p.fields["name"] for p in prompts] == ["9", "10", "COCOval2014000000000164"]
    assert prompts[0].text == "A long prompt of 9." and prompts[0].tag == "all"


@pytest.mark.parametrize(("language", "key"), [("en", "Primary Categories"), ("zh", "一级垂类")])
def test_unigenbench_is_tagged_by_its_primary_category(tmp_path, language, key):
    table = tmp_path / f"test_prompts_{language}.csv"
    dimensions = json.dumps({key: "Art", "Testpoints": ["Style"]}, ensure_ascii=False)
    quoted = dimensions.replace('"', '""')
    header = f"index,prompt_{language},sub_dims_{language}"
    table.write_text(f'{header}\n0,A drawing.,"{quoted}"\n', encoding="utf-8")
    (prompt,) = load("unigenbench", table)
    assert (prompt.text, prompt.tag, prompt.fields["index"]) == ("A drawing.", "Art", "0")
    table.write_text(f"{header}\n0,A drawing.,none\n")
    with pytest.raises(ValueError, match="line 2: no sub_dims with a primary category"):
        load("unigenbench", table)


def test_a_folder_is_expected_where_a_set_is_one(tmp_path):
    file = tmp_path / "1.txt"
    file.write_text("a")
    with pytest.raises(ValueError, match=r"1.txt is a file; a folder of \*.txt is expected"):
        load("dpg", file)


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.fetch])
def test_a_set_that_was_not_fetched_says_what_to_download(name, tmp_path):
    assert name in groups()["prompts"]
    settings = cell_settings([f"prompts={name}", f"prompts.path={tmp_path / 'none'}"], [])
    with pytest.raises(ValueError, match=r"none does not exist; put there ") as raised:
        check_source(settings["prompts"])
    assert "https://" in str(raised.value) or name == "file"
