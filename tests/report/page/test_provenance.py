"""What was made from what, as tables record it, and times as far as there are some."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from multirm.report.page.provenance import graph_of, provenance_payload, rules_in
from multirm.running.provenance import Origin
from multirm.tables import parquet
from multirm.tables.ledger import LEDGER
from tests.origins import made_of
from tests.report.page.rows import ledger


def origin(module: str, *inputs: str) -> Origin:
    return Origin("1", {f"multirm.{module}": "0"}, {}, dict.fromkeys(inputs, "0"))


def test_modules_come_after_what_they_read_from() -> None:
    origins = {
        "evaluation": origin("evaluation.accuracy", "rewards", "data"),
        "rewards": origin("scoring.discriminative", "data", "unknown"),
        "more rewards": origin("scoring.discriminative", "data"),
        "data": origin("data.read"),
    }
    assert graph_of(origins) == {
        "nodes": [
            {"name": "data.read", "n_files": 1, "layer": 0},
            {"name": "scoring.discriminative", "n_files": 2, "layer": 1},
            {"name": "evaluation.accuracy", "n_files": 1, "layer": 2},
        ],
        "edges": [[0, 1], [0, 2], [1, 2]],
    }
    assert graph_of({}) == {"nodes": [], "edges": []}


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, st.tuples(names, st.lists(names)), max_size=6))
def test_lines_lead_to_later_layers_whatever_files_say(
    files: dict[str, tuple[str, list[str]]],
) -> None:
    graph = graph_of({name: origin(made_by, *read) for name, (made_by, read) in files.items()})
    layers = [node["layer"] for node in graph["nodes"]]
    assert layers == sorted(layers)
    assert all(layers[start] < layers[end] for start, end in graph["edges"])
    assert sum(node["n_files"] for node in graph["nodes"]) == len(files)


def test_times_are_summed_for_each_rule(tmp_path: Path) -> None:
    head = "s\tmax_rss\n"
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "a.tsv").write_text(f"{head}1.5\t100\n2.5\tNA\n")
    (tmp_path / "evaluate" / "b.tsv").write_text(f"{head}1\t300.5\n")
    (tmp_path / "simulate.tsv").write_text(f"{head}-\t-\n")
    assert list(rules_in(tmp_path)) == [
        {"rule": "evaluate", "n_jobs": 3, "seconds": 5.0, "memory": 300.5},
        {"rule": "simulate", "n_jobs": 1, "seconds": 0, "memory": None},
    ]


def test_each_maker_is_told_with_the_folders_it_read_from(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    parquet.write(path, LEDGER, [ledger("law")], made_of({}, [tmp_path]))
    settings = [
        {"model": model, "stage": "training", "setting": "rank", "value": value}
        for model, value in (("a", "16"), ("b", "32"))
    ]
    payload = provenance_payload("t", {"ledger": [path]}, settings, [], tmp_path / "nowhere")
    (made,) = payload["tables"]
    assert made["made_by"] == "multirm.tables.parquet"
    assert (made["tables"], made["n_files"]) == (["ledger"], 1)
    assert payload["rules"] == []
    assert payload["models"] == ["a", "b"]
    assert payload["settings"] == [["training", "rank", "16", "32"]]
