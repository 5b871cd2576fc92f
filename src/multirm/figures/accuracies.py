"""Accuracies by category, method and N, as figures show them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from multirm.charts.palette import CEILING, MAJORITY_VOTE, VOTES, Style
from multirm.figures.measures import in_order
from multirm.figures.sentences import and_seeds
from multirm.tables.accuracy import ALL_QUESTIONS, OVERALL, Estimator, IntervalNote


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Attributes:
        method: as people are shown it.
        accuracy: in percent.
        low, high: its 95 % interval, in percent, where it has one.
        note: why it has none, or what it rests on besides the spread over questions.
        n_questions: how many it is over, where that is known.
    """

    category: str
    method: str
    n: int
    accuracy: float
    low: float | None = None
    high: float | None = None
    note: IntervalNote | None = None
    n_questions: int | None = None


@dataclass(frozen=True)
class Accuracies:
    """What a figure of accuracies is drawn from.

    Attributes:
        dataset: what they are on.
        points: in the order of the file.
        styles: of every method, and of all votes.
        estimator: how they are estimated.
        has_means: whether some are means over training runs.
    """

    dataset: str
    points: Sequence[Point]
    styles: Mapping[str, Style] = field(default_factory=lambda: VOTES)
    estimator: Estimator = Estimator.EXACT
    has_means: bool = False


def category_names(points: Iterable[Point]) -> list[str]:
    """The categories as panels are ordered."""
    return in_order(point.category for point in points)


def method_names(points: Iterable[Point], ceiling: bool = True) -> list[str]:
    """The models in the order of the file, then the majority vote and the ceiling, if that is wanted."""
    last = [MAJORITY_VOTE, *([CEILING] if ceiling else [])]
    names = dict.fromkeys(point.method for point in points)
    models = [name for name in names if name not in (MAJORITY_VOTE, CEILING)]
    return models + [name for name in last if name in names]


def sentences(
    accuracies: Accuracies, points: Sequence[Point], parts: str = "categories"
) -> list[str]:
    """What the points are over, how they are estimated, what their bands are, and what is missing or special.

    Args:
        parts: what the points' categories are.
    """
    said = [_questions(points, parts)]
    if accuracies.estimator in (Estimator.EXACT, Estimator.OPENPRM):
        said.append("Expected over all subsets of N solutions.")
    if any(point.low is not None for point in points):
        seeds = and_seeds(accuracies.has_means)
        drawn = "Bands" if len({point.n for point in points}) > 1 else "Bars"
        said.append(f"{drawn}: 95 % intervals over questions{seeds}.")
    notes = dict.fromkeys(point.note for point in points if point.note)
    said += [f"{note.meaning[0].upper()}{note.meaning[1:]}." for note in notes]
    return [*said, *_missing(points)]


def _questions(points: Sequence[Point], parts: str) -> str:
    counts = {point.category: point.n_questions for point in points}
    by_category = [
        count
        for name, count in counts.items()
        if name not in (OVERALL, ALL_QUESTIONS) and count is not None
    ]
    if not by_category:
        return "The file does not say over how many questions."
    few, many = min(by_category), max(by_category)
    each = f", {few if few == many else f'{few} to {many}'} in each" if len(by_category) > 1 else ""
    over = f"{sum(by_category)} questions in {len(by_category)} {parts}{each}."
    return over if len(by_category) > 1 else f"{sum(by_category)} questions."


def _missing(points: Sequence[Point]) -> list[str]:
    """Which methods have no accuracy in categories where others have one."""
    categories = category_names(points)
    found = {(point.method, point.category) for point in points}
    said = []
    for method in method_names(points):
        without = [name for name in categories if (method, name) not in found]
        if without:
            said.append(f"{method} has no accuracy in {', '.join(without)}.")
    return said
