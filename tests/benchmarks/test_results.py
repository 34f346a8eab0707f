import copy
import json

import pytest
from rich.console import Console

from benchmarks.picture import draw
from benchmarks.results import against, changes, load, save
from benchmarks.table import comparison, heading, markdown, ratios, table


def made(contender, variant, seconds, **more):
    return {
        "workload": "mlp", "case": "", "title": "MLP", "unit": "step", "contender": contender,
        "variant": variant, "seconds": seconds, "quartiles": [0.9 * seconds, 1.1 * seconds],
        "rounds": 9, "disturbed": 0, "items": 128, "flops": 1e9, "settings": {}, "figures": {},
    } | more  # fmt: skip


@pytest.fixture
def result():
    return {
        "machine": {
            "name": "a chip",
            "cores": 2,
            "peak": [2e12, 1e12],
            "date": "2026-01-01",
            "revision": "abc",
        },
        "ceilings": {"float32_flops": 1e12, "copy_bytes": 1e10},
        "rows": [
            made("jaxnet", "step", 0.004),
            made("jaxnet", "8 steps", 0.002),
            made("handwritten", "", 0.003),
            made("pytorch", "eager", 0.008, disturbed=2),
            made("pytorch", "fused", 0.001),
        ],
    }


def text(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_ratios_are_between_the_best_of_each(result):
    assert against(result["rows"], "handwritten") == pytest.approx(1.5)
    assert against(result["rows"], "pytorch") == pytest.approx(0.5)
    assert against(result["rows"], "keras") is None
    ((title, seconds, others),) = ratios(result)
    assert (title, seconds) == ("MLP", 0.002) and others.keys() == {"handwritten", "pytorch"}


def test_the_table_has_times_disturbances_rates_and_shares(result):
    shown, expected = text(table(result)), "pytorch eager 8 7.2 to 8.8 9 (+2) 4 16,000/s 12% 6.2%"
    line = next(line for line in shown.splitlines() if "pytorch eager" in line).split()
    assert line == expected.split()
    assert "float32 products 1,000 GFLOP/s, copies 10.0 GB/s" in heading(result)


def test_markdown_is_a_line_a_case_with_losses(result):
    assert markdown(result).splitlines() == [
        "|  | jaxnet, ms | handwritten | pytorch |",
        "| --- | --- | --- | --- |",
        "| MLP | 2 | 1.5 | 0.5 |",
    ]


def test_comparing_tells_a_change_from_the_spread(result):
    later = copy.deepcopy(result)
    later["rows"][0] |= made("jaxnet", "step", 0.002)
    later["rows"][1] |= made("jaxnet", "8 steps", 0.0021)
    del later["rows"][2]
    found = changes(result, later)
    assert [(row["variant"], round(ratio, 2), apart) for _, row, ratio, apart in found[:2]] == [
        ("step", 2.0, True), ("8 steps", 0.95, False),
    ]  # fmt: skip
    assert len(found) == 4
    shown = text(comparison(result, later))
    assert "faster" in shown and "within the spread" in shown


def test_results_are_read_as_they_were_written(result, tmp_path):
    file = tmp_path / "new" / "x.json"
    save(result, file)
    assert load(file) == result
    assert [each.name for each in file.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"a": 1}', '{"rows": [{"seconds": 1}]}'])
def test_what_is_no_result_is_explained(content, tmp_path):
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"x\.json (is not a file of results|has rows of another)"):
        load(file)


def test_the_picture_is_drawn(result, tmp_path):
    draw(result, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_is_json(result):
    assert json.loads(json.dumps(result)) == result
