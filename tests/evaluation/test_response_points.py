"""Points of comparisons, against plain loops over the published rules."""

import math
from typing import Any

import numpy as np
import pytest

from multirm.evaluation.pools_of_responses import ranks, roc_auc, spearman_in_prompts
from multirm.evaluation.response_points import Group, points, scored, ties_score
from multirm.tables.responses import Benchmark, Style

STYLES = (Style.CONCISE, Style.DETAILED, Style.MARKDOWN)


def group(
    chosen: list[int], rejected: list[int], subset: str = "s", name: str = "q", **options: Any
) -> Group:
    return Group(subset, name, 0, np.array(chosen, int), np.array(rejected, int), **options)


def only(benchmark: Benchmark, own: Group, rewards: list[float], measure: str = "accuracy") -> Any:
    (point,) = points(benchmark, [own], np.array(rewards))[measure]
    return point.lost, point.shared, point.n_tied


def test_a_pair_is_won_by_the_higher_reward() -> None:
    own = group([0], [1])
    assert only(Benchmark.REWARDBENCH, own, [2.0, 1.0]) == (1, 1, 0)
    assert only(Benchmark.REWARDBENCH, own, [1.0, 1.0]) == (0, 0.5, 1)
    assert only(Benchmark.REWARDBENCH, own, [1.0, 2.0]) == (0, 0, 0)


def test_the_best_of_four_shares_with_those_that_are_as_good() -> None:
    own = group([0], [1, 2, 3])
    for rewards, lost, shared in (
        ([4, 1, 2, 3], 1, 1),
        ([3, 1, 2, 3], 0, 1 / 2),
        ([3, 3, 2, 3], 0, 1 / 3),
        ([3, 3, 3, 3], 0, 1 / 4),
        ([1, 2, 2, 2], 0, 0),
    ):
        found = only(Benchmark.REWARDBENCH_2, own, [float(each) for each in rewards])
        assert found[:2] == pytest.approx((lost, shared))


def test_missing_rewards_leave_a_prompt_out() -> None:
    groups = [group([0], [1]), group([2], [3]), group([], [4])]
    rewards = np.array([2.0, math.nan, 2.0, 1.0, 5.0])
    assert scored(groups, rewards) == groups[1:]
    assert len(points(Benchmark.LLMBAR, groups[1:], rewards)["accuracy"]) == 1


def test_rm_bench_is_a_matrix_of_styles() -> None:
    random = np.random.default_rng(0)
    groups = [
        group([6 * k, 6 * k + 1, 6 * k + 2], [6 * k + 5, 6 * k + 4, 6 * k + 3]) for k in range(20)
    ]
    groups = [
        Group(g.subset, g.question_id, 0, g.chosen, g.rejected, (STYLES, STYLES[::-1]))
        for g in groups
    ]
    rewards = random.integers(0, 4, 120).astype(float)
    found = points(Benchmark.RM_BENCH, groups, rewards)
    sums = dict.fromkeys(("hard", "normal", "easy"), 0.0)
    for k in range(20):
        for i in range(3):
            for j in range(3):
                # Rejected responses lie in the order of the styles, after the chosen ones.
                win = rewards[6 * k + i] > rewards[6 * k + 3 + j]
                sums["hard" if i < j else "easy" if i > j else "normal"] += win / 3
    for measure, total in sums.items():
        assert sum(point.lost for point in found[measure]) == pytest.approx(total)
    mean = sum(point.lost for point in found["accuracy"]) / 20
    assert mean == pytest.approx(sum(sums.values()) / 60)
    cell = [rewards[6 * k] > rewards[6 * k + 5] for k in range(20)]
    assert sum(point.lost for point in found["concise_over_markdown"]) == sum(cell)


def published_ties_score(prompts: dict[str, tuple[list[float], list[float]]]) -> float:
    """The score as its formula is written down."""
    right_of = {"ref": [], "tied": []}  # type: dict[str, list[bool]]
    for name, (right, wrong) in prompts.items():
        right_of[name.split(":")[0]].append(min(right) - max(wrong) > 0)
    score = 0.3 * np.mean(right_of["tied"]) + 0.3 * np.mean(right_of["ref"])
    preferred, hard, margins = [], [], []
    for name, (right, wrong) in prompts.items():
        other = prompts.get(name.replace("tied", "ref"))
        if not name.startswith("tied") or other is None:
            continue
        spread = max(right) - min(right)
        gap, gap_ref = min(right) - max(wrong), min(other[0]) - max(other[1])
        preferred.append(gap > spread)
        hard.append(min(gap, gap_ref) > spread)
        least = min(gap, gap_ref)
        if spread:
            margins.append(math.tanh(least / spread - 1))
        else:
            margins.append(0 if least == 0 else math.copysign(1, least))
    return float(score + 0.2 * np.mean(preferred) + 0.2 * np.mean(hard) + 0.01 * np.mean(margins))


def test_the_score_of_ties_is_the_published_one() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        groups, rewards, prompts = [], [], {}
        for name in [*(f"ref:{k}" for k in range(5)), *(f"tied:{k}" for k in range(1, 7))]:
            n_right = 1 if name.startswith("ref") else 3
            values = [*random.integers(2, 6, n_right), *random.integers(0, 4, 4)]
            first = len(rewards)
            rewards += values
            ends = first + n_right, len(rewards)
            groups.append(
                group([*range(first, ends[0])], [*range(*ends)], subset="ties", name=name)
            )
            prompts[name] = (values[:n_right], values[n_right:])
        found = ties_score(groups, np.array(rewards, float))
        assert found == pytest.approx(published_ties_score(prompts))
    assert math.isnan(ties_score([group([0], [1], name="ref:1")], np.array([1.0, 0.0])))


def test_ppe_chooses_from_pools() -> None:
    own = group([0, 1], [2, 3])
    benchmark = Benchmark.PPE_CORRECTNESS
    assert only(benchmark, own, [3.0, 1.0, 2.0, 1.0]) == pytest.approx((2 / 4, 2.5 / 4, 1))
    assert only(benchmark, own, [3.0, 1.0, 2.0, 1.0], "best_of_k") == (1, 1, 0)
    assert only(benchmark, own, [3.0, 3.0, 3.0, 1.0], "best_of_k") == (0, 2 / 3, 1)
    assert only(benchmark, own, [3.0, 3.0, 3.0, 1.0], "loss") == (1, pytest.approx(1 / 3), 1)
    wrong = points(benchmark, [group([], [0, 1])], np.array([1.0, 2.0]))
    assert "accuracy" not in wrong
    assert (wrong["best_of_k"][0].lost, wrong["loss"][0].lost) == (0, 0)


def test_curves_and_ranks_of_pools_are_those_of_scipy() -> None:
    from scipy.stats import mannwhitneyu, rankdata, spearmanr

    random = np.random.default_rng(1)
    rewards = random.integers(0, 6, 40).astype(float)
    groups = [group([*range(k, k + 4)], [*range(k + 4, k + 10)]) for k in range(0, 40, 10)]
    right = np.concatenate([rewards[each.chosen] for each in groups])
    wrong = np.concatenate([rewards[each.rejected] for each in groups])
    assert roc_auc(groups, rewards) == pytest.approx(
        mannwhitneyu(right, wrong).statistic / len(right) / len(wrong)
    )
    labels = [1] * 4 + [0] * 6
    each = [spearmanr(rewards[k : k + 10], labels).statistic for k in range(0, 40, 10)]
    assert spearman_in_prompts(groups, rewards) == pytest.approx(np.mean(each))
    assert ranks(rewards).tolist() == rankdata(rewards).tolist()
    alike = [group([0], [1])]
    assert math.isnan(spearman_in_prompts(alike, np.ones(2)))
    assert math.isnan(roc_auc([group([], [0])], np.ones(1)))
