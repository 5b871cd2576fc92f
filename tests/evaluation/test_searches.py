"""Searches beside their costs, against plain loops over all subsets of best-of-N's solutions."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.evaluation.search_baseline import (
    Baseline,
    ChoiceOptions,
    DrawnSolution,
    matching_size,
    solutions_of,
)
from multirm.evaluation.searches import MEASURES, evaluate_searches
from multirm.search.choice import Candidate, choose
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, Aggregation
from multirm.tables.rewards import Scale
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS, SearchMeasure
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import SEARCHES
from tests.origins import made_of

Row = dict[str, Any]

BY_MIN = ChoiceOptions(Aggregation.MIN, Scale.PROBABILITY)

SOLUTION = st.builds(
    lambda rewards, n_tokens, answer: DrawnSolution(rewards, n_tokens, answer, answer == "4"),
    st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=1, max_size=2),
    st.integers(1, 9),
    st.sampled_from([None, "4", "5", "6"]),
)


def plain(pool: Sequence[DrawnSolution], measure: SearchMeasure) -> float:
    """How likely the choice among some solutions is right, ties broken at random."""
    answered = [each for each in pool if each.answer is not None]
    if not answered:
        return 0.0
    rewards = [min((r for r in each.rewards if r is not None), default=None) for each in answered]
    known = [reward for reward in rewards if reward is not None]
    match measure:
        case SearchMeasure.COVERED:
            return float(any(each.is_right for each in answered))
        case SearchMeasure.BEST:
            best = [
                e for e, r in zip(answered, rewards, strict=True) if not known or r == max(known)
            ]
            return sum(each.is_right for each in best) / len(best)
        case SearchMeasure.MAJORITY:
            votes = [1.0] * len(answered)
        case SearchMeasure.WEIGHTED:
            votes = [1.0 if not known else r or 0.0 for r in rewards]
    totals: dict[str, float] = {}
    for each, vote, reward in zip(answered, votes, rewards, strict=True):
        if measure is SearchMeasure.MAJORITY or not known or reward is not None:
            totals[each.answer or ""] = totals.get(each.answer or "", 0.0) + vote
    winners = [answer for answer, total in totals.items() if total == max(totals.values())]
    return ("4" in winners) / len(winners)


@settings(max_examples=30)
@given(st.lists(st.lists(SOLUTION, min_size=1, max_size=5), min_size=1, max_size=3))
def test_accuracies_of_fewer_solutions_agree_with_all_subsets(
    pools: list[list[DrawnSolution]],
) -> None:
    baseline = Baseline(pools, [f"q{k}" for k in range(len(pools))], BY_MIN)
    n = list(range(1, baseline.largest + 1))
    for measure in MEASURES:
        expected = [
            [
                np.mean([plain(s, measure) for s in itertools.combinations(p, min(k, len(p)))])
                for p in pools
            ]
            for k in n
        ]
        np.testing.assert_allclose(baseline.values(measure, n), expected, rtol=0, atol=1e-12)
    tokens = [
        [
            np.mean([sum(e.n_tokens for e in s) for s in itertools.combinations(p, min(k, len(p)))])
            for p in pools
        ]
        for k in n
    ]
    np.testing.assert_allclose(baseline.tokens(), tokens)


@settings(max_examples=50)
@given(st.lists(SOLUTION, min_size=1, max_size=6))
def test_all_solutions_together_are_chosen_from_as_a_search_chooses(
    pool: list[DrawnSolution],
) -> None:
    baseline = Baseline([pool], ["q"], BY_MIN)
    candidates = [
        Candidate(each.answer, each.answer, each.rewards)
        for each in pool
        if each.answer is not None
    ]
    chosen = choose(candidates, Aggregation.MIN, Scale.PROBABILITY)
    for measure in (SearchMeasure.BEST, SearchMeasure.MAJORITY, SearchMeasure.WEIGHTED):
        found = baseline.values(measure, [len(pool)])
        assert found is not None
        # Ties are shared in expectation; a search takes what came first.
        if found.item() in (0.0, 1.0):
            assert (getattr(chosen, measure) == "4") == bool(found.item())


def test_scores_vote_by_their_softmax_and_unknown_rewards_have_no_weighted_vote() -> None:
    pool = [
        DrawnSolution([-1.0], 1, "5", is_right=False),
        DrawnSolution([-1.0], 1, "5.0", is_right=False),
        DrawnSolution([1.0], 1, "4", is_right=True),
    ]
    scores = Baseline([pool], ["q"], ChoiceOptions(Aggregation.MIN, Scale.SCORE))
    assert scores.values(SearchMeasure.WEIGHTED, [3]).tolist() == [[1.0]]
    # 5 and 5.0 are one answer.
    assert scores.values(SearchMeasure.MAJORITY, [3]).tolist() == [[0.0]]
    unknown = Baseline([pool], ["q"], ChoiceOptions(Aggregation.MIN, None))
    assert unknown.values(SearchMeasure.WEIGHTED, [3]) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (20.0, (2.0, 20.0, True)),
        (25.0, (2.5, 25.0, True)),
        (31.0, (3.0, 30.0, True)),
        (32.0, (3.0, 30.0, False)),
        (9.0, (1.0, 10.0, False)),
        (9.6, (1.0, 10.0, True)),
    ],
)
def test_sizes_match_within_five_percent(
    wanted: float, expected: tuple[float, float, bool]
) -> None:
    assert matching_size(np.array([10.0, 20.0, 30.0]), wanted) == pytest.approx(expected)


KEY = {"dataset": "Facts", "category": "history", "question_id": "q1"}


def nodes(
    solutions: Sequence[tuple[Sequence[float | None], str | None, str]], **changes: Any
) -> list[Row]:
    """The tree of independent solutions: for each its rewards, its answer and how it ends; a step has 5 tokens."""
    root: Row = {
        "search": "BoN",
        **KEY,
        "node": 0,
        "parent": None,
        "depth": 0,
        "text": "",
        "n_tokens": 0,
        "reward": None,
        "value": None,
        "visits": len(solutions),
        "end": None,
        "parsed_answer": None,
        "outcome": None,
        **changes,
    }
    rows = [root]
    for rewards, answer, end in solutions:
        parent = 0
        for depth, reward in enumerate(rewards, 1):
            is_last = depth == len(rewards)
            found = {"parsed_answer": answer, "outcome": int(answer == "4")}
            step = {"node": len(rows), "parent": parent, "depth": depth, "text": f"Step {depth}."}
            closing = {"end": end if is_last else None}
            if is_last and end == "finished":
                closing |= found
            rows.append({**root, **step, "n_tokens": 5, "reward": reward, "visits": 1, **closing})
            parent = rows[-1]["node"]
    return rows


def search(name: str, method: str, outcome: int | None, tokens: int, **changes: Any) -> Row:
    found = {"best": outcome, "majority": outcome, "weighted": outcome}
    return {
        "search": name,
        **KEY,
        "method": method,
        "n_finished": 1,
        "n_overrun": 0,
        "n_looped": 0,
        "n_unscored": 0,
        "n_dropped": 2,
        **{f"{choice}_outcome": own for choice, own in found.items()},
        **{f"{choice}_answer": "4" if own else None for choice, own in found.items()},
        "covered": outcome,
        "policy_generated": tokens,
        "policy_computed": 7,
        "policy_cached": 1,
        "reward_new": 9,
        "reward_computed": 9,
        "reward_cached": 0,
        "policy_flops": None,
        "reward_flops": 2e9,
        "seconds": 0.5,
        **changes,
    }


# Right with the rewards 0.9 and 0.2, wrong with 0.5, and one that never ends.
POOL = [
    ([0.9, 0.9], "4", "finished"),
    ([0.5, 0.8], "5", "finished"),
    ([0.2], "4", "finished"),
    ([0.9, 0.9, 0.9], None, "overrun"),
]


def write(folder: Path, rows: Sequence[Row], trees: Sequence[Row] = ()) -> tuple[Path, Path]:
    paths = folder / "searches.parquet", folder / "nodes.parquet"
    origin = made_of({"final": "min", "scale": "probability"})
    parquet.write(paths[0], SEARCHES, rows, origin)
    parquet.write(paths[1], SEARCH_NODES, trees, origin)
    return paths


def evaluated(
    folder: Path, rows: Sequence[Row], trees: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    searches, of_nodes = write(folder, rows, trees)
    evaluate_searches([searches], folder / "out", [of_nodes])
    accuracy = parquet.read(folder / "out" / "search_accuracy.parquet", SEARCH_ACCURACY)
    gains = parquet.read(folder / "out" / "search_gains.parquet", SEARCH_GAINS)
    return accuracy.to_pylist(), gains.to_pylist()


def only(rows: Sequence[Row], **given: Any) -> Row:
    (found,) = (row for row in rows if given.items() <= row.items())
    return found


def test_paths_to_leaves_are_solutions() -> None:
    found = solutions_of(nodes(POOL))
    assert [(each.rewards, each.n_tokens, each.answer, each.is_right) for each in found] == [
        ([0.9, 0.9], 10, "4", True),
        ([0.5, 0.8], 10, "5", False),
        ([0.2], 5, "4", True),
        ([0.9, 0.9, 0.9], 15, None, False),
    ]


def two_questions(tokens: int = 20) -> tuple[list[Row], list[Row]]:
    """A beam search that is right on both of two questions, and best-of-N, whose second pool is all wrong."""
    other = {"question_id": "q2"}
    rows = [
        search("BoN", "best_of_n", 1, 40),
        search("BoN", "best_of_n", 0, 40, **other, n_overrun=4, n_finished=0),
        # In another order, and pairs are the same nevertheless.
        search("PBS", "beam_search", 1, tokens, **other),
        search("PBS", "beam_search", 1, tokens),
    ]
    wrong = [([0.5, 0.5], "5", "finished")] * 4
    return rows, nodes(POOL) + nodes(wrong, **other)


def test_a_gain_is_the_paired_difference_at_equal_tokens(tmp_path: Path) -> None:
    accuracy, gains = evaluated(tmp_path, *two_questions())
    for category in (OVERALL, "history"):
        gain = only(gains, category=category, measure="best")
        # 2 of 4 solutions have 20 tokens. Of the 6 pairs of the first question, 4 choose a right one: those with the
        # best, and the one of 0.2 and nothing else; 0.5 beats 0.2, and is chosen beside the unfinished one.
        assert gain["baseline_n"] == pytest.approx(2) and gain["is_matched"]
        assert gain["baseline_accuracy"] == pytest.approx(100 * (4 / 6 + 0) / 2)
        assert gain["difference"] == pytest.approx(100 * (1 - (4 / 6) / 2))
        assert gain["difference_low"] < gain["difference"] <= gain["difference_high"] <= 100
        assert (gain["search"], gain["baseline"], gain["n_questions"]) == ("PBS", "BoN", 2)
    assert {row["search"] for row in gains} == {"PBS"}
    assert {row["measure"] for row in gains} == set(map(str, MEASURES))
    whole = only(accuracy, search="PBS", measure="best", category=OVERALL)
    assert (whole["accuracy"], whole["policy_generated"], whole["n_dropped"]) == (100, 20, 4)
    assert whole["policy_flops"] is None and whole["seconds"] == 0.5
    best = only(accuracy, search="BoN", measure="best", category=OVERALL, n=None)
    assert (best["accuracy"], best["n_overrun"], best["n_unanswered"]) == (50, 4, 1)
    half = only(accuracy, search="BoN", measure="best", category=OVERALL, n=2)
    assert half["accuracy"] == pytest.approx(100 * (4 / 6) / 2)
    assert half["policy_generated"] == 20 and half["reward_new"] is None
    assert {row["n"] for row in accuracy} == {None, 1, 2}


def test_between_whole_numbers_accuracies_are_interpolated(tmp_path: Path) -> None:
    _, gains = evaluated(tmp_path, *two_questions(25))
    gain = only(gains, category="history", measure="covered")
    # Any right of 2: 5 of 6 pairs; of 3: all.
    assert gain["baseline_n"] == pytest.approx(2.5)
    assert gain["baseline_accuracy"] == pytest.approx(100 * (5 / 6 + 1) / 2 / 2)


def test_without_enough_tokens_there_is_no_difference(tmp_path: Path) -> None:
    _, gains = evaluated(tmp_path, *two_questions(50))
    for gain in gains:
        assert (gain["is_matched"], gain["baseline_n"], gain["baseline_tokens"]) == (False, 4, 40)
        assert gain["difference"] is gain["difference_low"] is gain["baseline_accuracy"] is None
        assert gain["accuracy"] == 100


def test_questions_without_a_reference_are_counted_and_left_out(tmp_path: Path) -> None:
    unknown = {f"{choice}_outcome": None for choice in ("best", "majority", "weighted")}
    rows, trees = two_questions()
    rows += [
        search(name, method, None, 20, question_id="q3", **unknown)
        for name, method in (("BoN", "best_of_n"), ("PBS", "beam_search"))
    ]
    accuracy, _ = evaluated(tmp_path, rows, trees)
    row = only(accuracy, search="PBS", measure="best", category="history")
    assert (row["n_questions"], row["n_unjudged"], row["accuracy"]) == (2, 1, 100)


def test_categories_have_the_same_weight(tmp_path: Path) -> None:
    rows = [search("S", "rebase", 1, 10, question_id=f"q{k}") for k in range(3)]
    rows.append(search("S", "rebase", 0, 30, category="law"))
    accuracy, gains = evaluated(tmp_path, rows, [])
    overall = only(accuracy, category=OVERALL, measure="best")
    assert (overall["accuracy"], overall["policy_generated"]) == (50, 20)
    assert gains == []


def test_other_models_are_no_baseline(tmp_path: Path) -> None:
    rows, trees = two_questions()
    write(tmp_path, rows[:2], trees)
    parquet.write(tmp_path / "b.parquet", SEARCHES, rows[2:], made_of({"reward_model": "another"}))
    evaluate_searches(
        [tmp_path / "searches.parquet", tmp_path / "b.parquet"],
        tmp_path / "out",
        [tmp_path / "nodes.parquet"],
    )
    assert parquet.read(tmp_path / "out" / "search_gains.parquet", SEARCH_GAINS).num_rows == 0


def refused(folder: Path, rows: Sequence[Row], trees: Sequence[Row], match: str) -> None:
    with pytest.raises(InputError, match=match):
        evaluated(folder, rows, trees)


def test_searches_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    rows, trees = two_questions()
    refused(tmp_path, [], [], "at least one search")
    refused(tmp_path, rows[:3], trees, "the 2 questions of 'BoN', found 1, of which 1 are the same")
    refused(tmp_path, [rows[0], rows[1] | {"dataset": "x"}], [], "searches of one dataset")
    refused(tmp_path, [rows[0], rows[1] | {"method": "rebase"}], [], "one method")
    refused(tmp_path, rows, trees[:9], "none to 1, such as 'history/q2'")
    elsewhere = [row | {"search": "Other"} for row in trees]
    refused(tmp_path, rows, elsewhere, r"nodes of a best-of-N search among .*, found \['Other'\]")
    unknown = search("S", "rebase", None, 20)
    refused(tmp_path, [unknown], [], "questions with a reference answer")
    write(tmp_path, rows)
    other = tmp_path / "other.parquet"
    parquet.write(other, SEARCHES, [rows[0] | {"category": "law"}], made_of({"final": "last"}))
    with pytest.raises(InputError, match="the settings of the other tables of 'BoN'"):
        evaluate_searches([tmp_path / "searches.parquet", other], tmp_path / "out")


def test_nan_is_never_written(tmp_path: Path) -> None:
    rows, trees = two_questions()
    accuracy, gains = evaluated(tmp_path, [r for r in rows if r["question_id"] == "q1"], trees)
    every = [value for row in accuracy + gains for value in row.values()]
    assert not [value for value in every if isinstance(value, float) and math.isnan(value)]
    assert {row["note"] for row in gains} == {"one_question"}
    assert {row["difference_low"] for row in gains} == {None}


def test_an_end_without_a_step_adds_no_reward() -> None:
    path = [(0, None, "", None, 0), (1, 0, "a", 0.9, 5), (2, 1, "b", 0.5, 4), (3, 2, "", 0.5, 1)]
    names = ("node", "parent", "text", "reward", "n_tokens")
    nodes = [
        {**dict(zip(names, row, strict=True)), "parsed_answer": "4", "outcome": 1} for row in path
    ]
    assert solutions_of(nodes) == [DrawnSolution([0.9, 0.5], 10, "4", True)]
