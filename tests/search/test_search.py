"""The command: real tiny models; the same trees alone and beside other questions, after a kill, and whatever else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multirm.engines.base import Completed, Request
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.generation.solving_options import SolvingOptions
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.search.reading import DEFAULT_READING, ReadingOptions
from multirm.search.search import search
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.search_nodes import SEARCH_NODES, SearchEnd
from multirm.tables.searches import CURRENCIES, SEARCHES, SearchMethod
from multirm.text.step_ends import StepEnd
from tests.origins import made_of

POLICY = PolicyOptions(
    engine=EngineName.TRANSFORMERS, max_tokens=60, temperature=1.0, top_k=9, seed=3
)
OPTIONS = SearchOptions(
    method=SearchMethod.BEAM_SEARCH, candidates=4, max_steps=6, max_step_tokens=20
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
    reading: ReadingOptions = DEFAULT_READING,
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
        reading,
        NO_SHOTS,
    )
    return (
        parquet.read(folder / "s.parquet", SEARCHES).to_pylist(),
        parquet.read(folder / "n.parquet", SEARCH_NODES).to_pylist(),
    )


COSTS = {column.name for column in CURRENCIES}


def without_costs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name not in COSTS} for row in rows]


def assert_same_trees(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Equal nodes, up to rounding in rewards and their means."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for name in one:
            expected = other[name]
            if name in ("reward", "value") and expected is not None:
                expected = pytest.approx(expected, abs=1e-5)
            assert one[name] == expected, name


@pytest.mark.parametrize("method", SearchMethod)
def test_trees_do_not_depend_on_other_questions(
    tmp_path: Path, talker: Path, method: SearchMethod
) -> None:
    together, nodes = searched(tmp_path / "a", talker, questions(1, 2, 3), method=method)
    alone, own = searched(tmp_path / "b", talker, questions(2), method=method)
    assert max(row["depth"] for row in own) > 1
    assert_same_trees([row for row in nodes if row["question_id"] == "q2"], own)
    assert without_costs(together)[1] == without_costs(alone)[0]
    for row in together:
        generated = [
            node["n_tokens"] for node in nodes if node["question_id"] == row["question_id"]
        ]
        assert row["policy_generated"] == sum(generated)
        assert row["method"] == method
        assert row["seconds"] > 0
        assert row["policy_flops"] > 0
        # Every token is read once.
        assert row["reward_computed"] == row["reward_new"]


def test_a_killed_search_resumes_to_the_same_trees(
    tmp_path: Path, talker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = questions(1, 2)
    whole, nodes = searched(tmp_path / "whole", talker, rows)
    generate, rounds = TransformersEngine.generate, list[int]()

    def dying(self: TransformersEngine, request: Request) -> Iterator[list[Completed]]:
        if rounds:
            raise KeyboardInterrupt
        rounds.append(len(request.prompts))
        yield from generate(self, request)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TransformersEngine, "generate", dying)
        searched(tmp_path / "killed", talker, rows)
    assert (tmp_path / "killed" / ".s.parquet.journal").is_file()
    assert not (tmp_path / "killed" / "n.parquet").exists()
    resumed, found = searched(tmp_path / "killed", talker, rows)
    assert_same_trees(found, nodes)
    assert without_costs(resumed) == without_costs(whole)
    assert [row["policy_generated"] for row in resumed] == [
        row["policy_generated"] for row in whole
    ]
    assert not (tmp_path / "killed" / ".s.parquet.journal").exists()


def test_solutions_of_best_of_n_share_no_steps(tmp_path: Path, talker: Path) -> None:
    method = SearchMethod.BEST_OF_N
    _, nodes = searched(tmp_path, talker, questions(1), method=method)
    parents = [node["parent"] for node in nodes if node["node"]]
    assert parents.count(0) == 4
    assert all(parents.count(parent) == 1 for parent in parents if parent)
    for node in nodes[1:]:
        assert node["depth"] == nodes[node["parent"]]["depth"] + 1


def test_sentence_lines_end_steps(tmp_path: Path, talker: Path) -> None:
    _, nodes = searched(tmp_path, talker, questions(1), step_end=StepEnd.SENTENCE_LINE)
    assert not any(".\n" in node["text"] for node in nodes)


def test_a_model_that_writes_critiques_rewards_steps(tmp_path: Path, talker: Path) -> None:
    reading = ReadingOptions(kind=Kind.GORM, critiques=2, critique_tokens=4)
    searches, nodes = searched(tmp_path, talker, questions(1), reading=reading)
    # A random model gives no verdict.
    assert {node["end"] for node in nodes[1:]} <= {SearchEnd.UNSCORED, SearchEnd.OVERRUN}
    assert searches[0]["best_answer"] is None
    assert searches[0]["n_unscored"] > 0
    # A prompt of its own, and two critiques of four tokens, for each step.
    assert searches[0]["reward_computed"] >= 8 * searches[0]["n_unscored"]
    used = parquet.read_footer(tmp_path / "s.parquet").parameters
    assert (used["pruning"], used["final"]) == ("last", "last")


def test_searches_that_miss_their_tokens_are_counted(
    tmp_path: Path, talker: Path, caplog: pytest.LogCaptureFixture
) -> None:
    searches, _ = searched(tmp_path, talker, questions(1), policy_tokens=1)
    assert searches[0]["policy_generated"] > 1
    assert "1 of 1 searches drew over 5 % more or fewer tokens than the 1 of" in caplog.text


def test_no_questions_are_no_rows(tmp_path: Path, talker: Path) -> None:
    assert searched(tmp_path, talker, []) == ([], [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": replace(POLICY, engine=EngineName.OPENAI)}, "transformers or vllm"),
        ({"beams": 5}, "no more than 4"),
        ({"reading": ReadingOptions(kind=Kind.DPRM)}, "gORM or gPRM"),
        ({"reading": ReadingOptions(reference="m")}, "--format"),
        (
            {"reading": ReadingOptions(kind=Kind.GORM, format=FormatName.QWEN_PRM)},
            "--format: expected none",
        ),
    ],
)
def test_contradictions_are_refused(
    tmp_path: Path, talker: Path, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        searched(tmp_path, talker, questions(1), **changes)
