"""One category's solutions for analyses, read from tables, against plain loops over the rows."""

import math
import random
from typing import Any

import pytest

from multirm.evaluation.inputs import Opened, open_evaluation
from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import read_categories, read_n_steps
from multirm.evaluation.solution_parts import Part, read_part, reported_scorers
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

MODELS = ["dPRM", "gORM"]
WAYS = ["dPRM=min,max_delta", "gORM=mean"]
MODULE = "multirm.evaluation.solution_analyses"


@pytest.fixture
def drawn(write_tables: Any) -> Any:
    """Two categories whose questions have from one to four solutions; steps of some are unknown."""
    generator = random.Random(3)

    def pool() -> list[tuple[str, dict[str, list[float | None]]]]:
        return [
            (generator.choice("AB"), {m: [None, *_rewards(generator)] for m in MODELS})
            for _ in range(generator.randint(1, 4))
        ]

    # Ids whose order as text is not that of numbers.
    study = {name: {str(k): ("A", pool()) for k in (10, 9, 2, 1)} for name in ("physics", "law")}
    found = write_tables(study, MODELS)
    for path in found.solutions:
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        for row in rows:
            row["steps"] = generator.choice([["s"], ["s"] * 3, ["s"] * 7])
        parquet.write(path, SOLUTIONS, rows, made_of())
    return found


def _rewards(generator: random.Random) -> list[float | None]:
    return [generator.choice([None, 0.25, 0.5, 1.0]) for _ in range(generator.randint(0, 3))]


def parts_of(opened: Opened) -> list[Part]:
    n_steps = read_n_steps(opened.database)
    return [
        read_part(category, n_steps[category.name], opened)
        for category in read_categories(opened.database, opened.types)
    ]


def test_parts_have_the_steps_questions_and_rewards_of_the_rows(drawn: Any) -> None:
    parts = parts_of(open_evaluation(MODULE, drawn.options(WAYS)))
    assert [part.name for part in parts] == ["physics", "law"]
    for part, solutions in zip(parts, drawn.solutions, strict=True):
        rows = {
            (row["question_id"], row["solution_id"]): row
            for row in parquet.read(solutions, SOLUTIONS).to_pylist()
        }
        lists: dict[tuple[str, str, int], list[float]] = {}
        for path in drawn.rewards:
            for row in parquet.read(path, REWARDS).to_pylist():
                if row["category"] == part.name:
                    known = [reward for reward in row["rewards"] if reward is not None]
                    lists[row["model"], row["question_id"], row["solution_id"]] = known
        keys = sorted(rows)
        assert part.category.question_ids.tolist() == [question for question, _ in keys]
        assert part.n_steps.tolist() == [len(rows[key]["steps"]) for key in keys]
        names = sorted({question for question, _ in keys})
        assert part.questions.tolist() == [names.index(question) for question, _ in keys]
        for model, way, aggregation in (
            ("dPRM", min, Aggregation.MIN),
            ("gORM", lambda x: sum(x) / len(x), Aggregation.MEAN),
        ):
            own = [lists[model, *key] for key in keys]
            expected = [way(each) if each else math.nan for each in own]
            found = part.rewards[Scorer(model, aggregation)]
            assert found == pytest.approx(expected, nan_ok=True)
        assert any(math.isnan(reward) for reward in part.rewards[Scorer("gORM", Aggregation.MEAN)])


def test_what_is_no_probability_has_no_rewards(write_tables: Any, drawn: Any) -> None:
    """Differences of probabilities, and scores."""
    (first, *_) = parts_of(open_evaluation(MODULE, drawn.options(WAYS)))
    deltas = first.rewards[Scorer("dPRM", Aggregation.MAX_DELTA)]
    assert len(deltas) == len(first.questions)
    assert all(map(math.isnan, deltas))
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]})]
    scores = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"], scale="score")
    (part,) = parts_of(open_evaluation(MODULE, scores.options(["dPRM=min"])))
    assert all(map(math.isnan, part.rewards[Scorer("dPRM", Aggregation.MIN)]))


def test_the_mean_over_runs_is_reported_with_its_runs_before_them(write_tables: Any) -> None:
    models = ["dPRM", "gORM", "gORM@43"]
    pool = [("A", {model: [0.9] for model in models})]
    written = write_tables({"law": {"q": ("A", pool)}}, models)
    opened = open_evaluation(MODULE, written.options([f"{model}=mean" for model in models]))
    found = {scorer.model: [run.model for run in runs] for scorer, runs in reported_scorers(opened)}
    assert list(found) == ["dPRM", "gORM@mean", "gORM", "gORM@43"]
    assert found.pop("gORM@mean") == ["gORM", "gORM@43"]
    assert all(runs == [name] for name, runs in found.items())
