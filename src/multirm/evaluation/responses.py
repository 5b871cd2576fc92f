"""Entry point `evaluate_responses`: how often reward models prefer the better responses of a benchmark."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multirm.evaluation.benchmark_means import means, published_ties
from multirm.evaluation.judged_responses import Judged, Scored, read_judged, read_scored
from multirm.evaluation.pools_of_responses import roc_auc, spearman_in_prompts
from multirm.evaluation.response_points import (
    ACCURACY,
    Group,
    Point,
    points,
    scored,
    ties_score,
)
from multirm.evaluation.reward_lengths import correlation_rows
from multirm.evaluation.weighted_shares import (
    Interval,
    Share,
    combined,
    share_by_leaving_out,
    share_of,
)
from multirm.running.arguments import EvaluationFolder, Place, entry
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.response_accuracy import (
    RESPONSE_ACCURACY,
    RESPONSE_REWARDS,
    REWARD_LENGTH_CORRELATIONS,
    Level,
    Ties,
)
from multirm.tables.responses import TIES, Benchmark

SCORE, SPEARMAN, ROC_AUC = "score", "spearman", "roc_auc"


@entry
def evaluate_responses(
    responses: list[Path],
    solutions: list[Path],
    output: EvaluationFolder,
    rewards: list[Place] | None = None,
    aggregation: list[str] | None = None,
) -> None:
    """Evaluate reward models on a benchmark of better and worse responses: accuracy, rewards, and their lengths.

    Args:
        responses: Tables of responses of one dataset, as written by `read-responses` or `truncate-responses`.
        solutions: The tables of solutions that were written beside them.
        output: Folder for the tables: response_accuracy (per subset and section, and the benchmark's own mean),
            response_rewards (a row for each response), reward_length_correlations.
        rewards: MODEL=PATH, tables of rewards of these solutions; a model may have several PATHs.
        aggregation: MODEL=AGGREGATION for each model, such as `mine=last`, or several as in `mine=last,min`.

    Raises:
        InputError: an option is invalid, or responses, solutions and rewards do not match.
    """
    judged = read_judged(responses, solutions)
    models = read_scored(judged, rewards or [], aggregation or [])
    dataset = judged.rows[0]["dataset"]
    accuracies, correlations = [], []
    for each in models:
        columns = {"dataset": dataset, "model": each.model, "aggregation": each.aggregation}
        for n_shown in sorted({row["n_shown"] for row in judged.rows}, key=lambda n: n or math.inf):
            groups = judged.groups(n_shown)
            for row in accuracy_rows(judged.benchmark, _sections(judged), groups, each.rewards):
                shared = {"benchmark": judged.benchmark, "n_shown": n_shown}
                accuracies.append({**columns, **shared, **row})
        correlations += [{**columns, **row} for row in correlation_rows(judged, each)]
    parquet.write_together(
        [
            (output / f"{RESPONSE_ACCURACY.name}.parquet", RESPONSE_ACCURACY, accuracies),
            (
                output / f"{RESPONSE_REWARDS.name}.parquet",
                RESPONSE_REWARDS,
                [row for each in models for row in _reward_rows(judged, each)],
            ),
            (
                output / f"{REWARD_LENGTH_CORRELATIONS.name}.parquet",
                REWARD_LENGTH_CORRELATIONS,
                correlations,
            ),
        ],
        origin_of(
            __name__,
            {"aggregation": aggregation},
            [*responses, *solutions, *local(place.partition("=")[2] for place in rewards or [])],
        ),
    )


def _sections(judged: Judged) -> dict[str, str]:
    """The section of each subset."""
    return {row["category"]: row["section"] for row in judged.rows}


def accuracy_rows(
    benchmark: Benchmark,
    sections: Mapping[str, str],
    groups: Sequence[Group],
    rewards: np.ndarray,
) -> Iterator[dict[str, Any]]:
    """Rows of the response_accuracy table, without what tells model, benchmark and characters shown.

    Args:
        sections: of each subset.
        groups: all prompts with their responses.
        rewards: float64 [responses]; NaN if missing.
    """
    have = scored(groups, rewards)
    by_measure: dict[str, list[Point]] = {ACCURACY: [], **points(benchmark, have, rewards)}
    others = _other_shares(benchmark, have, rewards)
    counts = {
        subset: float(sum(p.n_comparisons for p in by_measure[ACCURACY] if p.subset == subset))
        for subset in sections
    }
    wanted: dict[tuple[Level, str], Mapping[str, float] | None] = {
        **{(Level.SUBSET, subset): {subset: 1.0} for subset in sections},
        **means(benchmark, sections, counts),
    }
    by_score = {
        each
        for subset, measure in others
        if measure == SCORE
        for each in _stands_for(subset, measure, sections)
    }
    for ties in (Ties.LOST, Ties.SHARED):
        for measure, of_measure in by_measure.items():
            shares = {
                subset: _share([p for p in of_measure if p.subset == subset], ties)
                for subset in sections
            }
            for (level, name), weights in wanted.items():
                own = dict(shares)
                if level is Level.OVERALL and (TIES, SCORE) in others and measure == ACCURACY:
                    own[TIES] = others[TIES, SCORE]
                yield {
                    "level": level,
                    "name": name,
                    "measure": measure,
                    "ties": ties,
                    "is_published": ties is published_ties(benchmark)
                    and level is not Level.ALL
                    and (measure != ACCURACY or (level, name) not in by_score),
                    **_counts(level, name, sections, groups, have, of_measure),
                    **_percent(_combined(own, weights)),
                }
    for (subset, measure), share in others.items():
        for level, name in _stands_for(subset, measure, sections):
            yield {
                "level": level,
                "name": name,
                "measure": measure,
                "ties": published_ties(benchmark),
                "is_published": True,
                **_counts(level, name, sections, groups, have, []),
                **_percent(_other_interval(measure, share)),
            }


def _stands_for(subset: str, measure: str, sections: Mapping[str, str]) -> list[tuple[Level, str]]:
    """What another measure of a subset is published of: a score of the section, too, in place of its accuracy."""
    own = [(Level.SUBSET, subset)]
    return [*own, (Level.SECTION, sections[subset])] if measure == SCORE else own


def _share(of_subset: Sequence[Point], ties: Ties) -> Share:
    values = [point.lost if ties is Ties.LOST else point.shared for point in of_subset]
    clusters = [point.cluster for point in of_subset]
    return share_of(np.array(values, dtype=np.float64), np.array(clusters, dtype=np.int64))


def _combined(shares: Mapping[str, Share], weights: Mapping[str, float] | None) -> Interval:
    """The weighted mean; subsets without a weight, such as those without comparisons, are not in it."""
    heavy = {subset: weight for subset, weight in (weights or {}).items() if weight > 0}
    if not heavy:
        return Interval(math.nan, math.nan, math.nan)
    return combined([shares[subset] for subset in heavy], list(heavy.values()))


def _counts(
    level: Level,
    name: str,
    sections: Mapping[str, str],
    groups: Sequence[Group],
    have: Sequence[Group],
    of_measure: Sequence[Point],
) -> dict[str, int]:
    """How many prompts and comparisons a row is about."""

    def is_in(subset: str) -> bool:
        match level:
            case Level.SUBSET:
                return subset == name
            case Level.SECTION:
                return sections[subset] == name
        return True

    n_scored = sum(is_in(group.subset) for group in have)
    own = [point for point in of_measure if is_in(point.subset)]
    return {
        "n_prompts": n_scored,
        "n_missing": sum(is_in(group.subset) for group in groups) - n_scored,
        "n_comparisons": sum(point.n_comparisons for point in own),
        "n_tied": sum(point.n_tied for point in own),
    }


def _other_shares(
    benchmark: Benchmark, groups: Sequence[Group], rewards: np.ndarray
) -> dict[tuple[str, str], Share]:
    """Measures that are no means of points, by subset and name: the score of Ties, and those of PPE's pools."""
    found = {}
    for subset in dict.fromkeys(group.subset for group in groups):
        own = [group for group in groups if group.subset == subset]
        if benchmark is Benchmark.REWARDBENCH_2 and subset == TIES:
            measures = {SCORE: ties_score}
        elif benchmark is Benchmark.PPE_CORRECTNESS:
            measures = {ROC_AUC: roc_auc, SPEARMAN: spearman_in_prompts}
        else:
            continue
        # In Ties, a ref and a tied prompt are left out together.
        units = [group.question_id.partition(":")[2] or str(group.cluster) for group in own]
        clusters = np.unique(units, return_inverse=True)[1]
        for name, measure in measures.items():

            def kept(
                is_kept: np.ndarray, measure: Any = measure, own: Sequence[Group] = own
            ) -> float:
                some = [group for group, is_in in zip(own, is_kept, strict=True) if is_in]
                return float(measure(some, rewards))

            found[subset, name] = share_by_leaving_out(kept, clusters)
    return found


def _other_interval(measure: str, share: Share) -> Interval:
    """The interval of a measure; one from -1 to 1 is made a share first."""
    if math.isnan(share.value):
        return Interval(math.nan, math.nan, math.nan)
    if measure != SPEARMAN:
        return combined([share], [1.0])
    half = combined([share._replace(value=(share.value + 1) / 2, spread=share.spread / 4)], [1.0])
    return Interval(*(2 * each - 1 for each in half))


def _percent(interval: Interval) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else 100 * value
        for name, value in interval._asdict().items()
    }


def _reward_rows(judged: Judged, model: Scored) -> Iterator[dict[str, Any]]:
    """Rows of the response_rewards table."""
    for row, reward, n_characters, n_tokens in zip(
        judged.rows,
        model.rewards.tolist(),
        judged.n_characters.tolist(),
        model.n_tokens.tolist(),
        strict=True,
    ):
        yield {
            **{name: row[name] for name in ("dataset", "category", "question_id", "solution_id")},
            "model": model.model,
            "aggregation": model.aggregation,
            **{name: row[name] for name in ("section", "is_chosen", "n_shown")},
            "reward": None if math.isnan(reward) else reward,
            "n_characters": n_characters,
            "n_tokens_read": None if math.isnan(n_tokens) else int(n_tokens),
        }
