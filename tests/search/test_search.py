"""The command: real tiny models; the same trees alone and beside other questions, after a kill, and whatever else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multirm.engines.name import EngineName
from multirm.generation.solving_options import SolvingOptions
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.search.search import search
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import CURRENCIES, SEARCHES, SearchMethod
from tests.origins import made_of

POLICY = PolicyOptions(
    engine=EngineName.TRANSFORMERS, max_tokens=24, temperature=1.0, top_k=40, seed=3
)
OPTIONS = SearchOptions(
    method=SearchMethod.BEAM_SEARCH, candidates=4, max_steps=3, max_step_tokens=8
)
NO_SHOTS = SolvingOptions(shots=0)

Tables = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def questions(*numbers: int) -> list[dict[str, Any]]:
    key = {"dataset": "asked", "category": "law"}
    return [
        {**key, "question_id": f"q{k}", "question": f"What is {k}?", "options": None, "answer": "4"}
        for k in numbers
    ]


def searched(
    folder: Path,
    model: Path,
    rows: list[dict[str, Any]],
    policy: PolicyOptions = POLICY,
    **options: Any,
) -> Tables:
    """The rows of both tables."""
    folder.mkdir(exist_ok=True)
    parquet.write(folder / "q.parquet", QUESTIONS, rows, made_of())
    search(
        folder / "q.parquet",
        str(model),
        str(model),
        "try",
        folder / "s.parquet",
        folder / "n.parquet",
        policy,
        replace(OPTIONS, **options),
        solving=NO_SHOTS,
    )
    return (
        parquet.read(folder / "s.parquet", SEARCHES).to_pylist(),
        parquet.read(folder / "n.parquet", SEARCH_NODES).to_pylist(),
    )


def without_costs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name not in CURRENCIES_NAMES} for row in rows]


CURRENCIES_NAMES = {column.name for column in CURRENCIES}


@pytest.mark.parametrize("method", SearchMethod)
def test_trees_do_not_depend_on_other_questions(
    tmp_path: Path, tiny_model: Path, method: SearchMethod
) -> None:
    together, nodes = searched(tmp_path / "a", tiny_model, questions(1, 2, 3), method=method)
    alone, own = searched(tmp_path / "b", tiny_model, questions(2), method=method)
    assert len(own) > 2
    near = [row for row in nodes if row["question_id"] == "q2"]
    for one, other in zip(near, own, strict=True):
        for name in ("reward", "value"):
            assert one.pop(name) == pytest.approx(other.pop(name), abs=1e-5)
    assert near == own
    assert without_costs(together)[1] == without_costs(alone)[0]
    for row in together:
        # Every token is read once.
        assert row["reward_computed"] == row["reward_new"]
        assert row["policy_generated"] == sum(
            node["n_tokens"] for node in nodes if node["question_id"] == row["question_id"]
        )
