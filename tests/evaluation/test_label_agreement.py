"""Agreement of step labels: measures by plain loops, and what is compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.evaluation.label_agreement import agreements, compare_labels
from multirm.tables import parquet
from multirm.tables.label_agreement import LABEL_AGREEMENT, MEASURES
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows, solution_of
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

Known = dict[tuple[Any, ...], list[int]]


def solutions(n: int, categories: int = 1) -> list[dict[str, Any]]:
    """Two solutions to each question."""
    return [
        {
            "dataset": "d",
            "category": f"c{number % categories}",
            "question_id": f"q{number // 2}",
            "solution_id": number,
            "question": "?",
            "answer": "A",
            "steps": ["One.", "Two.", "Three."],
            "parsed_answer": "A",
            "outcome": 1,
            "step_labels": None,
        }
        for number in range(n)
    ]


def up_to(first_bad: int | None) -> list[int]:
    return [1, 1, 1] if first_bad is None else [*[1] * first_bad, 0]


def ratio(some: list[bool], among: list[bool]) -> float | None:
    members = [one for one, other in zip(some, among, strict=True) if other]
    return sum(members) / len(members) if members else None


def by_loops(known: list[int | None], said: list[int | str | None]) -> dict[str, float | None]:
    """The measures by their definitions; "missing" stands for no label."""
    pairs = [(one, other) for one, other in zip(known, said, strict=True) if other != "missing"]
    truly_good, said_good = [k is None for k, _ in pairs], [s is None for _, s in pairs]
    same = [k == s for k, s in pairs]
    every = [True] * len(pairs)
    both = [k is None and s is None for k, s in pairs]
    found = {
        "first_bad_agreement": ratio(same, every),
        "agreement_if_good": ratio(truly_good, said_good),
        "agreement_if_bad": ratio(same, [not good for good in said_good]),
        "recall_good": ratio(said_good, truly_good),
        "recall_bad": ratio(same, [not good for good in truly_good]),
        "share_without_bad": ratio(said_good, every),
        "known_without_bad": ratio(truly_good, every),
        # The solutions have three steps.
        "agreement_by_chance": 1 / 4 if pairs else None,
        "labelled": len(pairs) / len(known),
        "kappa": None,
    }
    assert not any(b and not (t and s) for b, t, s in zip(both, truly_good, said_good, strict=True))
    if pairs:
        n = len(pairs)
        observed = sum(t == s for t, s in zip(truly_good, said_good, strict=True)) / n
        p, q = sum(truly_good) / n, sum(said_good) / n
        expected = p * q + (1 - p) * (1 - q)
        found["kappa"] = (observed - expected) / (1 - expected) if expected < 1 else None
    return found


FIRST_BAD = st.none() | st.integers(0, 2)


@given(st.lists(st.tuples(FIRST_BAD, FIRST_BAD | st.just("missing")), min_size=1, max_size=12))
def test_measures_follow_their_definitions(pairs: list[tuple[Any, Any]]) -> None:
    rows = solutions(len(pairs))
    known = {solution_of(row): up_to(k) for row, (k, _) in zip(rows, pairs, strict=True)}
    said = {
        solution_of(row): up_to(s)
        for row, (_, s) in zip(rows, pairs, strict=True)
        if s != "missing"
    }
    [overall, one] = agreements(rows, known, {"judge": said})
    assert (overall[:2], one[:2]) == (("Overall", "judge"), ("c0", "judge"))
    expected = by_loops([k for k, _ in pairs], [s for _, s in pairs])
    for found in (overall[2], one[2]):
        assert {name: found[name] for name in MEASURES} == pytest.approx(expected, nan_ok=True)
        assert found["n_labelled"] + found["n_missing"] == len(pairs)
        for name in MEASURES:
            if found[name] is not None and found[f"{name}_low"] is not None:
                assert found[f"{name}_low"] <= found[name] + 1e-9
                assert found[f"{name}_high"] >= found[name] - 1e-9
                assert found[f"{name}_low"] >= (-1 if name == "kappa" else 0)
                assert found[f"{name}_high"] <= 1


def test_chance_depends_on_the_number_of_steps() -> None:
    """As if many labels were drawn at random, whatever is known."""
    rows = [{**row, "steps": ["?"] * (1 + number % 4)} for number, row in enumerate(solutions(16))]
    known = {solution_of(row): [0] for row in rows}
    said = {key: labels for number, (key, labels) in enumerate(known.items()) if number >= 4}
    [_, (_, _, row)] = agreements(rows, known, {"judge": said})
    generator = np.random.default_rng(1)
    drawn = [
        generator.integers(-1, len(row["steps"])) == 0 for row in rows[4:] for _ in range(2000)
    ]
    assert row["agreement_by_chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 4)
    assert row["agreement_by_chance"] == pytest.approx(np.mean(drawn), abs=0.02)
    assert row["known_without_bad"] == 0


def test_kappa_of_constant_labels_has_no_interval() -> None:
    rows = solutions(20)
    known = {solution_of(row): up_to(number % 2 or None) for number, row in enumerate(rows)}
    said = {key: up_to(None) for key in known}
    for _, _, row in agreements(rows, known, {"judge": said}):
        assert (row["kappa"], row["kappa_low"], row["kappa_high"]) == (0, None, None)
        assert "kappa" in row["note"]


def test_overall_is_the_average_over_categories() -> None:
    rows = solutions(40, categories=2)
    known = {solution_of(row): up_to(None) for row in rows}
    said = {
        solution_of(row): up_to(None if row["category"] == "c0" or number < 10 else 0)
        for number, row in enumerate(rows)
    }
    found = {category: row for category, _, row in agreements(rows, known, {"judge": said})}
    assert found["c0"]["recall_good"] == 1
    assert found["c1"]["recall_good"] == 5 / 20
    assert found["Overall"]["recall_good"] == pytest.approx((1 + 5 / 20) / 2)


def written(
    path: Path, rows: list[dict[str, Any]], labels: list[list[int | None]], source: LabelSource
) -> Path:
    every = []
    for row, of_row in zip(rows, labels, strict=True):
        columns = [
            {"label": label, "reason": LabelReason.TIED if label is None else None}
            for label in of_row
        ]
        every += label_rows(row, source, columns)
    parquet.write(path, LABELS, every, made_of())
    return path


def test_tables_are_compared_with_the_solutions_or_with_known_labels(tmp_path: Path) -> None:
    rows = solutions(4)
    own = [{**row, "step_labels": [1, 0, 1]} for row in rows[:3]] + rows[3:]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, own, made_of())
    judged = written(
        tmp_path / "judge.parquet",
        rows,
        [[1, 0, 0], [1, 1, 1], [None, 0, 0], [1, 1, 1]],
        LabelSource.JUDGE,
    )
    known = written(tmp_path / "known.parquet", rows, [[1, 1, 1]] * 4, LabelSource.KNOWN)
    output, given = tmp_path / "out.parquet", [f"J={judged}"]
    compare_labels([tmp_path / "s.parquet"], given, output)
    [_, row] = parquet.read(output, LABEL_AGREEMENT).to_pylist()
    assert (row["dataset"], row["labels"], row["source"]) == ("d", "J", "judge")
    assert (row["n_labelled"], row["n_missing"]) == (2, 1)
    assert (row["recall_bad"], row["agreement_if_bad"]) == (0.5, 1)
    compare_labels([tmp_path / "s.parquet"], given, output, truth=[known])
    [_, row] = parquet.read(output, LABEL_AGREEMENT).to_pylist()
    assert (row["n_labelled"], row["n_missing"]) == (3, 1)
    assert (row["agreement_if_good"], row["recall_good"]) == (1, pytest.approx(2 / 3))


def test_a_solution_of_which_the_last_steps_have_no_labels_is_not_known_to_be_good(
    tmp_path: Path,
) -> None:
    """Tables of labels that were read have no rows of steps that nobody labelled."""
    rows = solutions(4)
    own = [{**row, "step_labels": [1, 1, 0]} for row in rows]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, own, made_of())
    partial = written(
        tmp_path / "read.parquet", rows, [[1, 1], [1, 1], [1, 0], [1]], LabelSource.READ
    )
    output = tmp_path / "out.parquet"
    compare_labels([tmp_path / "s.parquet"], [f"Read={partial}"], output)
    [_, row] = parquet.read(output, LABEL_AGREEMENT).to_pylist()
    assert (row["n_labelled"], row["n_missing"], row["share_without_bad"]) == (1, 3, 0)
    compare_labels([tmp_path / "s.parquet"], [f"Read={partial}"], output, truth=[partial])
    [_, row] = parquet.read(output, LABEL_AGREEMENT).to_pylist()
    assert (row["n_labelled"], row["n_missing"]) == (1, 0)


def test_labels_of_other_solutions_or_of_some_twice_are_refused(tmp_path: Path) -> None:
    rows = solutions(2)
    path, output = tmp_path / "s.parquet", tmp_path / "out.parquet"
    parquet.write(path, SOLUTIONS, [{**row, "step_labels": [1, 1, 0]} for row in rows], made_of())
    good = written(tmp_path / "good.parquet", rows, [[1, 1, 1]] * 2, LabelSource.JUDGE)
    others = [{**row, "dataset": "e"} for row in rows]
    other = written(tmp_path / "other.parquet", others, [[1, 1, 1]] * 2, LabelSource.JUDGE)
    long = written(tmp_path / "long.parquet", rows, [[1, 1, 1, 1]] * 2, LabelSource.JUDGE)
    twice = written(tmp_path / "twice.parquet", rows[1:], [[1, 0, 0]], LabelSource.JUDGE)
    for labels, truth, told in (
        ([f"J={other}"], None, r"other.parquet: expected labels of solutions in .*s.parquet"),
        ([f"J={good}"], [other], r"other.parquet: expected labels of solutions in .*s.parquet"),
        ([f"J={long}"], None, r"steps 0 to 2 of .*a label of step 3"),
        ([f"J={good}"], [long], r"steps 0 to 2 of .*a label of step 3"),
        ([f"J={good}", f"J={twice}"], None, r"found some of .*1\), which is in another"),
        ([f"J={good}"], [good, twice], r"found some of .*1\), which is in another"),
    ):
        with pytest.raises(InputError, match=told):
            compare_labels([path], labels, output, truth=truth)
        assert not output.exists()


def test_nothing_known_and_mixed_sources_are_refused(tmp_path: Path) -> None:
    rows = solutions(2)
    path = tmp_path / "s.parquet"
    parquet.write(path, SOLUTIONS, rows, made_of())
    judged = written(tmp_path / "judge.parquet", rows, [[1, 1, 1]] * 2, LabelSource.JUDGE)
    known = written(tmp_path / "known.parquet", rows, [[1, 1, 1]] * 2, LabelSource.KNOWN)
    with pytest.raises(InputError, match="whose first bad step is known"):
        compare_labels([path], [f"J={judged}"], tmp_path / "out.parquet")
    with pytest.raises(InputError, match="from judge, known"):
        compare_labels(
            [path], [f"J={judged}", f"J={known}"], tmp_path / "out.parquet", truth=[known]
        )
