"""Types of rewards come from tables or the command line, and scores without bounds work in all evaluations."""

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.reward_models.aggregate import weights_in_pools
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Aggregation, Estimator, Selection
from multirm.tables.ledger import LEDGER
from multirm.tables.rewards import COST_COLUMNS, REWARDS, Scale
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.uncertainty import CRITIQUE_COUNTS
from multirm.tables.verification import STEP_VERIFICATION, VERIFICATION
from tests.origins import made_of

COLUMNS = ("unit", "scale")


def set_type(path: Path, unit: str | None, scale: str | None) -> None:
    """Rewrite a table of rewards with another unit and scale."""
    rows = [row | {"unit": unit, "scale": scale} for row in parquet.read(path, REWARDS).to_pylist()]
    parquet.write(path, REWARDS, rows, made_of())


def pools(model: str, scores: list[list[float]], answers: str = "ABAB") -> dict[str, Any]:
    return {
        f"q{number}": (
            "A",
            [(answer, {model: [score]}) for answer, score in zip(answers, pool, strict=True)],
        )
        for number, pool in enumerate(scores)
    }


def accuracies(folder: Path) -> dict[tuple[str, int], float]:
    rows = parquet.read(folder / "accuracy.parquet", ACCURACY).to_pylist()
    return {
        (row["selection"], row["n"]): row["accuracy"] for row in rows if row["category"] == "law"
    }


def by_brute_force(scores: list[list[float]], answers: str, n: int, selection: Selection) -> float:
    """The fraction of all subsets of N solutions that select the answer A; ties are shared."""
    right = []
    for pool in scores:
        for chosen in itertools.combinations(range(len(pool)), n):
            if selection is Selection.BEST_OF_N:
                greatest = max(pool[i] for i in chosen)
                best = [answers[i] for i in chosen if pool[i] == greatest]
            else:
                votes: dict[str, float] = {}
                for i in chosen:
                    votes[answers[i]] = votes.get(answers[i], 0.0) + math.exp(pool[i])
                best = [a for a in votes if math.isclose(votes[a], max(votes.values()))]
            right.append(best.count("A") / len(best))
    return 100 * sum(right) / len(right)


def test_scores_select_by_their_order_and_vote_with_their_softmax(
    tmp_path: Path, write_tables: Any
) -> None:
    generator = random.Random(1)
    scores = [[generator.choice([-8.0, -1.5, 0.0, 2.0, 2.5]) for _ in range(4)] for _ in range(9)]
    written = write_tables({"law": pools("dPRM", scores)}, ["dPRM"], "score")
    set_type(written.rewards[0], "solution", "score")
    evaluate(written.options(["dPRM=last"], n=[1, 2, 3, 4]), tmp_path)
    found = accuracies(tmp_path)
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        for n in (2, 3, 4):
            expected = by_brute_force(scores, "ABAB", n, selection)
            assert found[selection, n] == pytest.approx(expected, abs=1e-9)
    (row,) = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert (row["unit"], row["scale"], row["vote_weight"]) == ("solution", "score", "softmax")


@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6),
    shift=st.floats(-1e3, 1e3),
)
def test_only_differences_of_scores_count(scores: list[float], shift: float) -> None:
    def weights(values: list[float]) -> np.ndarray:
        lists = pa.array([[value] for value in values], pa.list_(pa.float64()))
        return weights_in_pools(lists, Aggregation.LAST, np.array([0]), Scale.SCORE)

    found = weights(scores)
    assert (found >= 0).all() and found.max() == 1
    # In the order of the scores, however different they are.
    order = np.argsort(scores, kind="stable")
    apart = np.diff(np.array(scores)[order]) > 1e-6
    assert (np.diff(found[order])[apart] > 0).all()
    np.testing.assert_allclose(weights([score + shift for score in scores]), found, rtol=1e-6)


def test_the_stated_type_decides_rather_than_lengths(tmp_path: Path, write_tables: Any) -> None:
    """Four critiques of a solution with four steps are not rewards of its steps."""
    pool = [(answer, {"gORM": [0.25, 0.5, 0.75, 1.0]}) for answer in "AABB"]
    written = write_tables({"law": {"q": ("A", pool), "r": ("B", pool)}}, ["gORM"])
    (path,), (table,) = written.solutions, written.rewards
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    four = [row | {"steps": list("wxyz"), "step_labels": [1, 1, 0, 0]} for row in rows]
    parquet.write(path, SOLUTIONS, four, made_of())
    for unit, n_counts, n_step_rows in (("critique", 3, 1), ("step", 0, 2)):
        set_type(table, unit, "probability")
        options = written.options(["gORM=mean"], n=[2])
        measure_uncertainty(options, tmp_path / unit)
        counts = parquet.read(tmp_path / unit / "critique_counts.parquet", CRITIQUE_COUNTS)
        assert len({row["n_critiques"] for row in counts.to_pylist()}) == n_counts
        evaluate_verification(options, tmp_path / unit)
        steps = parquet.read(tmp_path / unit / "step_verification.parquet", STEP_VERIFICATION)
        # One is the stand-in's.
        assert steps.num_rows == n_step_rows


def test_scores_are_ranked_and_not_calibrated(tmp_path: Path, write_tables: Any) -> None:
    scores = [[3.0, -2.0, 1.0, -0.5], [0.5, 0.25, 5.0, 4.0]]
    written = write_tables({"law": pools("dPRM", scores)}, ["dPRM"], "score")
    (path,), (table,) = written.solutions, written.rewards
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    parquet.write(
        path, SOLUTIONS, [row | {"step_labels": [row["outcome"]]} for row in rows], made_of()
    )
    set_type(table, "step", "score")
    evaluate_verification(written.options(["dPRM=last"]), tmp_path)
    row, _ = parquet.read(tmp_path / "verification.parquet", VERIFICATION).to_pylist()
    pairs = [(a, b) for pool in scores for a in pool[::2] for other in scores for b in other[1::2]]
    auc = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert row["roc_auc"] == pytest.approx(auc)
    assert all(row[name] is None for name in ("f1", "precision", "brier", "ece", "ece_debiased"))
    steps, _ = parquet.read(tmp_path / "step_verification.parquet", STEP_VERIFICATION).to_pylist()
    assert steps["all_roc_auc"] == pytest.approx(auc)
    assert steps["all_brier"] is None and steps["process_bench_f1"] is None


def without_columns(path: Path) -> None:
    """An external table with a model's rewards, but not their type."""
    pq.write_table(
        pq.read_table(path).drop_columns(list(COLUMNS)).replace_schema_metadata(None), path
    )


def test_the_command_line_states_what_tables_do_not(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": pools("dPRM", [[0.1, 0.2, 0.3, 0.4]] * 3)}, ["dPRM"])

    def options(**stated: Any) -> SelectionOptions:
        return written.options(["dPRM=last"], n=[2], **stated)

    evaluate(options(), tmp_path)
    before = accuracies(tmp_path)
    without_columns(written.rewards[0])
    with pytest.raises(InputError, match=r"a column scale .* add --scale dPRM=… \(probability or"):
        evaluate(options(), tmp_path)
    # Selections do not need the unit.
    evaluate(options(scale=["dPRM=probability"]), tmp_path)
    assert accuracies(tmp_path) == before
    (row,) = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert (row["unit"], row["vote_weight"]) == (None, "reward")
    with pytest.raises(InputError, match=r"a column unit .* add --unit dPRM=… \(step, critique or"):
        evaluate_verification(options(scale=["probability"]), tmp_path)
    evaluate_verification(options(scale=["probability"], unit=["step"]), tmp_path)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"scale": ["dPRM=grade"]}, "--scale: expected MODEL=WORD, and probability or score"),
        ({"scale": ["dORM=score"]}, "--scale: expected dPRM, found 'dORM'"),
        ({"scale": ["score", "dPRM=score"]}, "--scale: expected one for dPRM, found score, score"),
        ({"scale": ["score"]}, "of scale score, as in --scale, found some of scale probability"),
        ({"unit": ["critique"]}, "of unit critique, as in --unit, found some of unit step"),
    ],
)
def test_contradictions_are_refused(
    tmp_path: Path, write_tables: Any, options: dict[str, Any], complaint: str
) -> None:
    written = write_tables({"law": pools("dPRM", [[0.1, 0.2, 0.3, 0.4]])}, ["dPRM"])
    with pytest.raises(InputError, match=complaint):
        evaluate(written.options(["dPRM=last"], n=[2], **options), tmp_path)


def test_what_is_undefined_for_scores_is_refused(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": pools("dPRM", [[-1.0, 2.0, 3.0, 4.0]])}, ["dPRM"], "score")
    set_type(written.rewards[0], "step", "score")
    with pytest.raises(InputError, match="an aggregation other than prod"):
        evaluate(written.options(["dPRM=prod"], n=[2]), tmp_path)
    with pytest.raises(InputError, match="the estimator paper votes with probabilities"):
        evaluate(written.options(["dPRM=min"], n=[2]), tmp_path, Estimator.PAPER)
    rows = parquet.read(written.rewards[0], REWARDS).to_pylist()
    rows[0]["scale"] = "probability"
    rows[0]["rewards"] = [0.5]
    parquet.write(written.rewards[0], REWARDS, rows, made_of())
    with pytest.raises(InputError, match="one unit and one scale of dPRM's rewards, found"):
        evaluate(written.options(["dPRM=min"], n=[2]), tmp_path)


@pytest.mark.parametrize(
    ("module", "unit"),
    [
        ("multirm.scoring.discriminative", "step"),
        ("multirm.scoring.generative", "critique"),
        ("multirm.data.read", None),
    ],
)
def test_tables_of_version_1_have_the_type_of_their_module(
    tmp_path: Path, write_tables: Any, module: str, unit: str | None
) -> None:
    written = write_tables({"law": pools("dPRM", [[0.1, 0.2, 0.3, 0.4]] * 2)}, ["dPRM"])
    (path,) = written.rewards
    first = replace(
        REWARDS,
        version=1,
        columns=pa.schema(
            [
                *(
                    field
                    for field in REWARDS.columns
                    if field.name not in (*COLUMNS, *COST_COLUMNS)
                ),
                pa.field("n_tokens", pa.int32()),
            ]
        ),
        check_row=lambda row: None,
    )
    rows = [
        {name: value for name, value in row.items() if name not in COLUMNS} | {"n_tokens": 7}
        for row in parquet.read(path, REWARDS).to_pylist()
    ]
    parquet.write(path, first, rows, replace(made_of(), code={module: "0" * 64}))
    assert set(parquet.read(path, REWARDS)["unit"].to_pylist()) == {unit}
    options = written.options(["dPRM=last"], n=[2])
    if unit is None:
        with pytest.raises(InputError, match="add --unit"):
            evaluate_verification(options, tmp_path)
        return
    evaluate(options, tmp_path)
    (row,) = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert (row["unit"], row["scale"]) == (unit, "probability")
