"""Provenance: each file once, changed and missing files marked, and no file's content trusted."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.figures.accuracy_grid import draw_accuracy_grid
from multirm.inspect.trace import find_input, summary, trace, way_back
from multirm.running.code import code_digest
from multirm.running.files import digest, digests
from multirm.running.metadata import FORMATS
from multirm.running.provenance import FILE, to_text, write_to_folder
from multirm.study.owners import Owner, note_owner
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Selection
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.version import VERSION
from tests.origins import made_of

RESULTS = Path("results")
SOLUTIONS_FILE = RESULTS / "data/toy/law.parquet"
ADAPTER = RESULTS / "models/dORM/adapter"
MERGED = RESULTS / "models/dORM/merged"
REWARDS_FILE = RESULTS / "rewards/dORM/toy/law.parquet"
ACCURACY_FILE = RESULTS / "evaluation/toy/accuracy.parquet"
FIGURE = RESULTS / "figures/toy_best_of_n"


def by(module: str) -> str:
    """How a trace shows the current code of a module."""
    return f"by multirm {VERSION}, {module} {code_digest(module)[:8]}"


BY, BY_FIGURES = by("multirm.tables.parquet"), by("multirm.figures.accuracy_grid")


def write_model(folder: Path, made: str, inputs: list[Path], weights: str = "weights") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_text(weights)
    write_to_folder(folder, made, made_of({"seed": 42}, inputs))


def write_rewards(inputs: Iterable[Path] | dict[str, str], path: Path = REWARDS_FILE) -> None:
    row = {"dataset": "toy", "category": "law", "question_id": "q", "solution_id": 0}
    row |= {"model": "dORM", "rewards": [0.5], "n_tokens_read": 3, "truncated": False}
    parameters = {"model": "dORM", "shards": 2}
    recorded = inputs if isinstance(inputs, dict) else digests(inputs)
    origin = replace(made_of(parameters), inputs=recorded)
    parquet.write(path, REWARDS, [row], origin)


def write_solutions(answer: str = "A") -> None:
    row: dict[str, Any] = {"dataset": "toy", "category": "law", "question_id": "q"}
    row |= {"solution_id": 0, "question": "Which?", "answer": answer, "steps": ["So."]}
    row |= {"parsed_answer": "A", "outcome": 1, "step_labels": None}
    parameters = {"dataset": "toy", "category": "law"}
    parquet.write(SOLUTIONS_FILE, SOLUTIONS, [row], made_of(parameters, [Path("source")]))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chain as the pipeline makes it: source, solutions, adapter, merged model, rewards, accuracy."""
    monkeypatch.chdir(tmp_path)
    Path("source").write_text("raw data")
    write_solutions()
    write_model(ADAPTER, "adapter", [SOLUTIONS_FILE])
    write_model(MERGED, "merged model", [ADAPTER])
    write_rewards([SOLUTIONS_FILE, MERGED])
    row: dict[str, Any] = {"dataset": "toy", "category": "law", "aggregation": "last", "n": 1}
    row |= {
        "estimator": "exact",
        "accuracy": 50.0,
        "accuracy_low": 48.0,
        "accuracy_high": 53.0,
        "n_short": 0,
    }
    row |= {"std": None, "standard_error": 0.0, "runs": None, "n_questions": 3}
    row |= {"selection": "best_of_n", "model": "dORM"}
    parameters = {"n": [1], "aggregation": ["dORM=last"]}
    inputs = [SOLUTIONS_FILE, REWARDS_FILE]
    parquet.write(ACCURACY_FILE, ACCURACY, [row], made_of(parameters, inputs))
    return tmp_path


def traced(
    capsys: pytest.CaptureFixture[str], file: Path, results: Path = RESULTS
) -> tuple[list[str], str]:
    trace(file, results)
    *lines, blank, counts = capsys.readouterr().out.splitlines()
    assert blank == ""
    return lines, counts


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_figure_leads_back_to_the_source(
    study: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    figure = FIGURE.with_suffix(suffix)
    draw_accuracy_grid(ACCURACY_FILE, Selection.BEST_OF_N, [figure])
    lines, counts = traced(capsys, figure)
    assert lines == [
        f"results/figures/toy_best_of_n{suffix}: figure accuracy_grid, {BY_FIGURES}",
        '  with ceiling=false, selection="best_of_n"',
        f"  from results/evaluation/toy/accuracy.parquet: table accuracy {ACCURACY.version}, {BY}",
        '    with aggregation=["dORM=last"], n=[1]',
        f"    from results/data/toy/law.parquet: table solutions 1, {BY}",
        '      with category="law", dataset="toy"',
        "      from source",
        f"    from results/rewards/dORM/toy/law.parquet: table rewards 3, {BY}",
        '      with model="dORM", shards=2',
        f"      from results/data/toy/law.parquet: table solutions 1, {BY}, as above",
        f"      from results/models/dORM/merged: merged model, {BY}",
        "        with seed=42",
        f"        from results/models/dORM/adapter: adapter, {BY}",
        "          with seed=42",
        f"          from results/data/toy/law.parquet: table solutions 1, {BY}, as above",
    ]
    assert counts == "6 inputs: 6 as recorded"


def test_a_limited_trace_counts_what_is_further_back(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ADAPTER / "model.safetensors").write_text("other weights")
    trace(ACCURACY_FILE, RESULTS, depth=1)
    assert capsys.readouterr().out.splitlines() == [
        f"results/evaluation/toy/accuracy.parquet: table accuracy {ACCURACY.version}, {BY}",
        '  with aggregation=["dORM=last"], n=[1]',
        f"  from results/data/toy/law.parquet: table solutions 1, {BY}",
        '    with category="law", dataset="toy"',
        "    … from 1 file further back",
        f"  from results/rewards/dORM/toy/law.parquet: table rewards 3, {BY}",
        '    with model="dORM", shards=2',
        "    … from 4 files further back, 1 changed since",
        "",
        "5 inputs: 4 as recorded, 1 changed since",
    ]


@pytest.mark.parametrize("depth", range(6))
def test_a_limited_trace_lists_and_counts_the_same_files(study: Path, depth: int) -> None:
    every, some = (list(way_back(ACCURACY_FILE, RESULTS, most)) for most in (None, depth))
    assert max(step.depth for step in some) == min(depth, max(step.depth for step in every))
    assert summary(some) == summary(every)
    assert {step.name for step in some} == {step.name for step in every if step.depth <= depth}


def test_what_was_cut_off_is_listed_where_it_is_nearer(study: Path) -> None:
    """The adapter is two steps back by the merged model, and one step back by itself."""
    write_rewards([MERGED, ADAPTER])
    named = [(step.name, step.depth, step.seen) for step in way_back(REWARDS_FILE, RESULTS, 2)]
    adapters = [each for each in named if each[0] == str(ADAPTER)]
    assert adapters == [(str(ADAPTER), 1, False), (str(ADAPTER), 2, True)]
    write_model(RESULTS / "models/a", "merged model", [ADAPTER])
    write_rewards([RESULTS / "models/a", RESULTS / "models/dORM/adapter"])
    steps = [*way_back(REWARDS_FILE, RESULTS, 2)]
    assert [step.name for step in steps if step.depth == 2 and not step.seen] == [
        str(ADAPTER),
        str(SOLUTIONS_FILE),
    ]


def test_a_weights_file_is_traced_as_its_folder(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_file, _ = traced(capsys, MERGED / "model.safetensors")
    by_folder, _ = traced(capsys, MERGED)
    assert by_file[1:] == by_folder[1:]
    assert by_file[0] == f"results/models/dORM/merged/model.safetensors: merged model, {BY}"


def test_changed_and_missing_inputs_are_marked(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ADAPTER / "model.safetensors").write_text("other weights")
    (study / "source").unlink()
    lines, counts = traced(capsys, ACCURACY_FILE)
    marked = [line.strip() for line in lines if line.endswith(("recorded]", "since]"))]
    assert marked == [
        "from source [place not recorded]",
        f"from results/models/dORM/adapter: adapter, {BY} [changed since]",
    ]
    assert counts == "5 inputs: 3 as recorded, 1 changed since, 1 place not recorded"


def test_an_input_that_changed_for_one_file_counts_as_changed(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_solutions("B")
    # Remade since, from the new solutions; the rest was not.
    write_model(ADAPTER, "adapter", [SOLUTIONS_FILE])
    lines, counts = traced(capsys, ACCURACY_FILE)
    marks = [line.endswith("[changed since], as above") for line in lines]
    assert sum(marks) == 1
    assert "[changed since]" in lines[2]
    assert lines[-1].endswith(f"{BY}, as above")
    assert counts == "5 inputs: 3 as recorded, 2 changed since"


def test_a_damaged_input_is_named_with_the_reason(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    REWARDS_FILE.write_bytes(REWARDS_FILE.read_bytes()[:-20])
    lines, counts = traced(capsys, ACCURACY_FILE)
    assert lines[-1].startswith(
        "  from results/rewards/dORM/toy/law.parquet [changed since] (results"
    )
    assert "expected a whole Parquet table" in lines[-1]
    assert counts == "3 inputs: 2 as recorded, 1 changed since"


def test_results_may_have_moved(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, counts = traced(capsys, ACCURACY_FILE)
    moved = study / "elsewhere"
    moved.mkdir()
    RESULTS.rename(moved / "copied")
    Path("source").rename(moved / "source")
    lines, counts_then = traced(
        capsys, moved / "copied/evaluation/toy/accuracy.parquet", moved / "copied"
    )
    assert (lines[1:], counts_then) == (before[1:], counts)
    _, told_there = traced(capsys, moved / "copied/evaluation/toy/accuracy.parquet")
    assert told_there == "2 inputs: 2 gone"


def test_files_that_name_each_other_end_the_trace(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = REWARDS_FILE.with_name("other.parquet")
    write_rewards({str(other): "0" * 64})
    write_rewards({str(REWARDS_FILE): "0" * 64, str(other): "0" * 64}, other)
    lines, counts = traced(capsys, REWARDS_FILE)
    assert [line.strip() for line in lines if "from" in line] == [
        f"from results/rewards/dORM/toy/other.parquet: table rewards 3, {BY} [changed since]",
        f"from results/rewards/dORM/toy/law.parquet: table rewards 3, {BY} [changed since],"
        " as above",
        f"from results/rewards/dORM/toy/other.parquet: table rewards 3, {BY}"
        " [changed since], as above",
    ]
    assert counts == "2 inputs: 2 changed since"


def test_a_chain_of_thousands_of_files(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = Path("results/models")
    for number in range(1500):
        folder = models / f"{number}"
        folder.mkdir()
        inputs = {f"results/models/{number + 1}": "0" * 64}
        text = {"made": "adapter", "multirm": "0", "code": {}, "parameters": {}, "inputs": inputs}
        (folder / FILE).write_text(json.dumps(text))
    lines, _ = traced(capsys, models / "0")
    assert lines[-1].strip() == "from results/models/1500 [gone]"


def test_text_from_other_files_is_escaped(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2Jtitle\u202e\n\x9b"
    origin = replace(made_of({evil: [evil]}), code={evil: evil})
    figure = Path("evil\n\x1b.svg")
    figure.write_text(f'<svg><metadata id="multirm">{to_text(evil, origin)}</metadata></svg>')
    trace(figure)
    printed = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in printed)
    assert printed.count("\n") == 4
    assert "\\x1b[2Jtitle" in printed


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../source", "results/../../source", "", ".", "\0", "x" * 5000, "results/none"],
)
def test_names_that_lead_elsewhere_or_nowhere_are_gone(
    study: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write_rewards({name: "0" * 64})
    lines, counts = traced(capsys, REWARDS_FILE)
    assert len(lines) == 3
    assert counts in ("1 inputs: 1 gone", "1 inputs: 1 unreadable")


def test_a_folder_of_another_name_is_found_by_the_study_that_made_it(study: Path) -> None:
    """Inputs are looked up in it by the names that it had, and others where the study ran."""
    owner = Owner("s", ["s.yaml"], Path("out/mine"))
    note_owner(owner, ["out/mine/data/T/law.parquet"])
    table = Path("out/mine/data/T/law.parquet")
    table.parent.mkdir(parents=True)
    table.touch()
    assert find_input(str(table), owner.results) == table
    assert find_input("source", owner.results) == Path("source")
    Path("out/mine").rename("moved")
    assert find_input(str(table), Path("moved")) == Path("moved/data/T/law.parquet")


def test_a_numbered_name_is_the_file_without_the_number(study: Path) -> None:
    assert find_input("source (2)", RESULTS) == Path("source")
    Path("source (2)").touch()
    assert find_input("source (2)", RESULTS) == Path("source (2)")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("notes.txt", b"", "found no provenance"),
        ("figure.svg", b"<svg></svg>", "found no provenance"),
        ("figure.png", b"", "found no provenance"),
        ("best_of_n.csv", b"N,Method", "trace the table beside it"),
        (
            "figure.html",
            b'<meta name="multirm" content="{}">',
            "in multirm's format, found b?'{}'",
        ),
        ("figure.pdf", b"/multirm <0>", "in multirm's format, found 'non-hex"),
        ("table.parquet", b"PAR1", "expected a whole Parquet table"),
        ("none.parquet", None, "found no such file"),
    ],
)
def test_other_files_are_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, found: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        trace(path)
    assert str(path) in str(caught.value)


def test_a_digest_is_of_the_whole_folder(study: Path) -> None:
    before = digest(ADAPTER)
    write_model(ADAPTER, "adapter", [])
    assert digest(ADAPTER) != before


def test_changed_code_is_marked(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = "multirm.scoring.generative"
    parameters: dict[str, Any] = {"model": "dORM"}
    row = {"dataset": "toy", "category": "law", "question_id": "q", "solution_id": 0}
    row |= {"model": "dORM", "rewards": [0.5], "n_tokens_read": 3, "truncated": False}
    as_now = {module: code_digest(module)}
    for code in (as_now, {module: "0" * 64}, {"multirm.gone": "0" * 64}):
        parquet.write(REWARDS_FILE, REWARDS, [row], replace(made_of(parameters), code=code))
        lines, counts = traced(capsys, REWARDS_FILE)
        (name, recorded) = next(iter(code.items()))
        mark = "" if code == as_now else f" [code {'gone' if 'gone' in name else 'changed since'}]"
        assert counts.endswith("1 files by code that differs now") == (code != as_now)
        assert lines[0].endswith(f"by multirm {VERSION}, {name} {recorded[:8]}{mark}")


def test_a_file_outside_the_working_directory_is_not_called_gone(
    study: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path_factory.mktemp("data") / "law.json"
    outside.write_text("[]")
    write_rewards([outside])
    lines, counts = traced(capsys, REWARDS_FILE)
    assert lines[-1].strip() == "from law.json [place not recorded]"
    assert counts == "1 inputs: 1 place not recorded"
