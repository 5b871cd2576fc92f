"""What all evaluation commands read, and what they refuse before they compute anything."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet

COMMANDS = [evaluate, measure_uncertainty, evaluate_verification]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("output", ["file", "file/below/it", "/proc/x"])
def test_an_invalid_output_is_refused_first(
    tmp_path: Path, command: Callable[..., None], output: str
) -> None:
    """Before the solutions are opened, which do not exist either."""
    (tmp_path / "file").write_text("something")
    with pytest.raises(InputError, match="expected a folder to write to, found ") as caught:
        command(SelectionOptions(solutions=["nowhere.parquet"]), tmp_path / output)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "something"


@pytest.mark.parametrize("command", COMMANDS)
def test_only_what_was_read_is_in_the_footer(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    folders = {path.parent for path in [*written.solutions, *written.rewards]}
    options = SelectionOptions(
        solutions=[str(written.solutions[0].parent)],
        rewards=[f"m={written.rewards[0].parent}"],
        aggregation=["m=min"],
    )

    def inputs() -> list[dict[str, str]]:
        command(options, tmp_path / "out")
        return [parquet.read_footer(path).inputs for path in (tmp_path / "out").glob("*.parquet")]

    before = inputs()
    for folder in folders:
        (folder / "notes.txt").write_text("not read")
    assert inputs() == before
    assert {name for footer in before for name in footer} == {"law.parquet", "law.parquet (2)"}


@pytest.mark.parametrize("command", COMMANDS)
def test_results_beside_the_inputs_do_not_become_inputs(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    folder = written.solutions[0].parent
    options = SelectionOptions(
        solutions=[str(folder)],
        rewards=[f"m={written.rewards[0].parent}"],
        aggregation=["m=min"],
    )
    for _ in range(2):
        command(options, folder)
    assert len(list(folder.glob("*.parquet"))) > 1


@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_full_disk_no_table_is_replaced(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    pool = [("A", {"m": [0.5, 0.25]}), ("B", {"m": [0.75, 0.5]})] * 2
    written = write_tables({"law": {f"q{n}": ("A", pool) for n in range(3)}}, ["m"])
    output = tmp_path / "output"

    def run(aggregation: str) -> None:
        command(written.options([f"m={aggregation}"]), output)

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in output.iterdir()}

    run("min")
    before = contents()
    sizes = sorted(len(content) for content in before.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((sizes[0] + sizes[-1]) // 2, hard))
    try:
        with pytest.raises(InputError, match="room on the disk"):
            run("min,max,mean")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents() == before
    run("max")
    assert contents().keys() == before.keys()
    assert contents() != before


def test_an_input_is_not_replaced(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    solutions = written.solutions[0].rename(tmp_path / "accuracy.parquet")
    before = solutions.read_bytes()
    with pytest.raises(
        InputError, match=r"accuracy\.parquet: expected to replace a file that is not"
    ):
        evaluate(SelectionOptions(solutions=[str(solutions)], n=[1]), tmp_path)
    assert solutions.read_bytes() == before
