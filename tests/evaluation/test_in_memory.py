"""Tables in memory are evaluated like the same tables in files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import Evaluated, evaluate, evaluated
from multirm.evaluation.inputs import Inputs, parse_inputs
from multirm.evaluation.options import SubsetOptions
from multirm.tables import parquet
from multirm.tables.accuracy import Estimator
from multirm.tables.registry import SCHEMAS
from multirm.tables.rewards import REWARDS, Unit
from multirm.tables.solutions import SOLUTIONS
from tests.evaluation.conftest import Written

WAYS = ["dPRM=min,mean", "gORM=mean"]
ASKED = SubsetOptions(n=[1, 2, 4], runs=10, seed=1)

Pools = tuple[Written, Inputs]


@pytest.fixture
def drawn(write_tables: Any) -> Pools:
    """Pools with missing rewards and answers, in files and in memory."""
    chance = np.random.default_rng(7)

    def solution() -> tuple[str | None, dict[str, list[float | None]]]:
        rewards: dict[str, list[float | None]] = {
            model: [*(float(each) for each in chance.random(3)), None] for model in ("dPRM", "gORM")
        }
        return (chance.choice(["A", "B", "C"]) if chance.random() > 0.1 else None), rewards

    study = {
        category: {f"q{n}": ("A", [solution() for _ in range(4)]) for n in range(6)}
        for category in ("law", "math")
    }
    written = write_tables(study, ["dPRM", "gORM"])
    of_model = {
        model: parquet.read_all(
            [path for path in written.rewards if path.parent.name == model], REWARDS
        )
        for model in ("dPRM", "gORM")
    }
    inputs = replace(
        parse_inputs(written.options(WAYS)),
        solutions=[parquet.read_all(written.solutions, SOLUTIONS)],
        rewards={model: [table] for model, table in of_model.items()},
    )
    return written, inputs


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(np.random.default_rng(3).permutation(table.num_rows))


def changed(inputs: Inputs, change: Callable[[pa.Table], pa.Table]) -> Inputs:
    """Inputs whose tables in memory are changed."""
    return replace(
        inputs,
        solutions=[change(each) for each in inputs.solutions],
        rewards={model: [change(each) for each in own] for model, own in inputs.rewards.items()},
    )


def rows_of(found: Evaluated) -> dict[str, Any]:
    return {schema.name: rows for schema, rows in found.rows}


@pytest.mark.parametrize("estimator", [Estimator.EXACT, Estimator.OPENPRM, Estimator.VERSAPRM])
def test_as_in_files(drawn: Pools, estimator: Estimator) -> None:
    written, inputs = drawn
    of_files = rows_of(evaluated(parse_inputs(written.options(WAYS)), ASKED, estimator, {}))
    assert rows_of(evaluated(inputs, ASKED, estimator, {})) == of_files
    assert all(of_files.values())


@pytest.mark.parametrize("estimator", [Estimator.EXACT, Estimator.OPENPRM])
def test_the_order_of_rows_does_not_matter(drawn: Pools, estimator: Estimator) -> None:
    """But for estimators that follow papers in which it does."""
    expected, found = (
        rows_of(evaluated(inputs, ASKED, estimator, {}))
        for inputs in (drawn[1], changed(drawn[1], shuffled))
    )
    assert found == expected


def test_the_same_tables_are_written(drawn: Pools, tmp_path: Path) -> None:
    written, inputs = drawn
    groups = {"texts": ["law"]}
    evaluated(inputs, ASKED, Estimator.EXACT, groups).write(tmp_path / "memory")
    options = written.options(WAYS, n=ASKED.n, runs=ASKED.runs, seed=ASKED.seed)
    evaluate(options, tmp_path / "files", category_groups=["texts=law"])
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "memory").iterdir())
    for name in names:
        found, expected = (tmp_path / folder / name for folder in ("memory", "files"))
        schema = SCHEMAS[name.removesuffix(".parquet")]
        assert parquet.read(found, schema).equals(parquet.read(expected, schema))
        one, other = parquet.read_footer(found), parquet.read_footer(expected)
        assert one.parameters == other.parameters and one.code == other.code
        assert set(one.inputs) == {"solutions", "rewards of dPRM", "rewards of gORM"}


def test_digests_are_those_of_the_values(drawn: Pools) -> None:
    _, inputs = drawn

    def digests(asked: Inputs) -> dict[str, str]:
        return evaluated(asked, ASKED, Estimator.EXACT, {}).opened.origin.inputs

    def parted(table: pa.Table) -> pa.Table:
        return pa.concat_tables([table.slice(0, 5), table.slice(5)])

    before = digests(inputs)
    assert digests(changed(inputs, parted)) == before
    assert {*digests(changed(inputs, shuffled)).values()}.isdisjoint(before.values())


def test_mixed_with_files(drawn: Pools) -> None:
    written, inputs = drawn
    (solutions,) = inputs.solutions
    half = solutions.filter(pa.compute.equal(solutions["category"], "math"))
    mixed = replace(inputs, solutions=[str(written.solutions[0]), half])
    assert rows_of(evaluated(mixed, ASKED, Estimator.EXACT, {})) == rows_of(
        evaluated(inputs, ASKED, Estimator.EXACT, {})
    )


def without(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns([column]) if column in table.column_names else table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("answer"), "^solutions: expected column answer of a solutions table"),
        (without("model"), "^rewards of dPRM: expected column model of a rewards table"),
        (lambda table: table.slice(0, 0), "^solutions: expected at least one solution, found none"),
        (without("scale"), "^rewards of dPRM: expected a column scale for dPRM's rewards"),
        (
            lambda table: pa.concat_tables([table, table.slice(0, 1)]),
            "^solutions: expected each solution once, found 1 repeated",
        ),
    ],
    ids=["answer", "model", "rows", "scale", "repeated"],
)
def test_what_is_wrong_is_said(
    drawn: Pools, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evaluated(changed(drawn[1], change), ASKED, Estimator.EXACT, {})


def test_columns_that_are_not_needed_may_be_missing(drawn: Pools) -> None:
    _, inputs = drawn
    expected = rows_of(evaluated(inputs, ASKED, Estimator.EXACT, {}))
    for name in ("question", "steps", "unit"):
        lacking = replace(
            changed(inputs, without(name)), unit={"dPRM": Unit.STEP, "gORM": Unit.CRITIQUE}
        )
        found = rows_of(evaluated(lacking, ASKED, Estimator.EXACT, {}))
        assert found["accuracy"] == expected["accuracy"]
