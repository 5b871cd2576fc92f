"""How each benchmark weighs its subsets: in its sections, and overall."""

from collections.abc import Mapping

from multirm.tables.response_accuracy import Level, Ties
from multirm.tables.responses import PRIOR_SETS, REWARDBENCH_SECTIONS, Benchmark

_REWARDBENCH_2 = ("factuality", "precise_if", "math", "safety", "focus", "ties")
_RM_BENCH = ("chat", "math", "code", "safety")

Weights = dict[str, float]
"""The weight of each subset, at least 0."""

_PRIOR_WEIGHT = 0.5


def published_ties(benchmark: Benchmark) -> Ties:
    """What equal rewards are worth by the benchmark's own code."""
    return Ties.SHARED if benchmark is Benchmark.REWARDBENCH_2 else Ties.LOST


def means(
    benchmark: Benchmark, sections: Mapping[str, str], counts: Mapping[str, float]
) -> dict[tuple[Level, str], Weights | None]:
    """The weights of subsets in each section and overall, by level and name; None if a part of it is not there.

    Args:
        sections: of each subset that is there.
        counts: how many comparisons each subset has.
    """
    found: dict[tuple[Level, str], Weights | None] = {}
    for section in dict.fromkeys(sections.values()):
        own = [subset for subset in sections if sections[subset] == section]
        found[Level.SECTION, section] = _in_section(benchmark, section, own, counts)
    found[Level.OVERALL, "Overall"] = _overall(benchmark, found, sections, counts)
    found[Level.ALL, "All"] = {subset: counts[subset] for subset in sections}
    return found


def _in_section(
    benchmark: Benchmark, section: str, subsets: list[str], counts: Mapping[str, float]
) -> Weights | None:
    if benchmark is Benchmark.REWARDBENCH and section in REWARDBENCH_SECTIONS:
        published = REWARDBENCH_SECTIONS[section]
        return {**published} if set(subsets) == set(published) else None
    if benchmark in (Benchmark.REWARDBENCH, Benchmark.LLMBAR):
        return dict.fromkeys(subsets, 1.0)
    return {subset: counts[subset] for subset in subsets}


def _overall(
    benchmark: Benchmark,
    found: Mapping[tuple[Level, str], Weights | None],
    sections: Mapping[str, str],
    counts: Mapping[str, float],
) -> Weights | None:
    needed: Mapping[Benchmark, tuple[str, ...]] = {
        Benchmark.REWARDBENCH: tuple(REWARDBENCH_SECTIONS),
        Benchmark.REWARDBENCH_2: _REWARDBENCH_2,
        Benchmark.RM_BENCH: _RM_BENCH,
    }
    if benchmark in (Benchmark.LLMBAR, Benchmark.EVALBIASBENCH):
        return dict.fromkeys(sections, 1.0)
    if benchmark not in needed:
        return {subset: counts[subset] for subset in sections}
    weights: Weights = {}
    also = [PRIOR_SETS] if PRIOR_SETS in sections.values() else []
    for section in [*needed[benchmark], *also]:
        own = found.get((Level.SECTION, section))
        if own is None or not sum(own.values()):
            return None
        whole = _PRIOR_WEIGHT if section == PRIOR_SETS else 1.0
        weights |= {subset: whole * weight / sum(own.values()) for subset, weight in own.items()}
    return weights
