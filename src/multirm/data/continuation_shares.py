"""Entry point `measure_continuation_shares`: how many steps guesses alone would make good, and how many are so.

With "any of n continuations right", as in Math-Shepherd, 81 % of steps after which the answer can only be guessed among
ten options count as good (n = 16). Labels of this package count right answers above guessing; the table has both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from multirm.data.guessing import guessing_rate, most_by_guessing
from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.continuation_shares import CONTINUATION_SHARES
from multirm.tables.continuations import CONTINUATIONS
from multirm.tables.labels import read_labels, solution_of
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS_IF_ANY, pool_of
from multirm.text.solving import Asked, join_steps


@dataclass(frozen=True)
class Continued:
    """A step that was continued.

    Attributes:
        category: of its question.
        n_options: of its question; 0 if it is open.
        n_answers: continuations with an answer.
        n_right: those with the right one.
        label: 1 if the step is good, 0 if it is bad, None if the continuations cannot tell.
    """

    category: str
    n_options: int
    n_answers: int
    n_right: int
    label: int | None


@entry
def measure_continuation_shares(
    solutions: list[Path],
    labels: list[Path],
    continuations: list[Path],
    dataset: str,
    output: OutputFile,
) -> None:
    """Compare the shares of right continuations after steps with those that guessing among options would give.

    Args:
        solutions: solutions tables, with the questions.
        labels: labels tables of these solutions by `continue-steps`, made with the same settings.
        continuations: the tables that `continue-steps` wrote with them.
        dataset: the name of the labels.
        output: table of all steps together, by category, and by number of options if there are several.

    Raises:
        InputError: the labels have another source, or are of other solutions.
    """
    per_prefix, significance = _settings(labels)
    rows = parquet.read_all(solutions, SOLUTIONS_IF_ANY).to_pylist()
    of_labels = {key: steps for path in labels for key, steps in read_labels(path).items()}
    if others := of_labels.keys() - {solution_of(row) for row in rows}:
        raise InputError(
            ", ".join(map(str, labels)),
            expected="labels of the solutions",
            found=f"some of {shown(min(others))}",
        )
    continued = parquet.read_all(continuations, CONTINUATIONS).to_pylist()
    steps = list(continued_steps(rows, of_labels, continued))
    found = share_rows(steps, per_prefix, significance)
    origin = origin_of(__name__, {"dataset": dataset}, [*solutions, *labels, *continuations])
    parquet.write(
        output, CONTINUATION_SHARES, [{"dataset": dataset, **row} for row in found], origin
    )


def _settings(labels: Iterable[Path]) -> tuple[int, float]:
    """The continuations of each step, and the significance of labels."""
    found = set()
    for path in labels:
        parameters = parquet.read_footer(path).parameters
        if not {"per_prefix", "significance"} <= parameters.keys():
            raise InputError(path, expected="labels by continue-steps", found="others")
        found.add((parameters["per_prefix"], parameters["significance"]))
    if len(found) != 1:
        raise InputError(
            "--labels",
            expected="labels with the same settings",
            found="; ".join(f"{n} per step at significance {level}" for n, level in sorted(found)),
        )
    return found.pop()


def continued_steps(
    rows: Iterable[Row],
    labels: Mapping[tuple[Any, ...], Mapping[int, Row]],
    continuations: Iterable[Row],
) -> Iterator[Continued]:
    """The steps of solutions that were continued; solutions that begin alike have some in common, which count for each.

    Args:
        rows: of solutions tables.
        labels: rows of labels tables, by solution and step.
        continuations: rows of continuations tables.
    """
    outcomes: dict[tuple[tuple[str, ...], str], list[int | None]] = {}
    for each in continuations:
        outcomes.setdefault((pool_of(each), each["prefix"]), []).append(each["outcome"])
    for row in rows:
        n_options = Asked.of(row).n_options
        for step, label in sorted(labels.get(solution_of(row), {}).items()):
            prefix = join_steps(row["steps"][: step + 1])
            if step + 1 == len(row["steps"]) or (pool_of(row), prefix) not in outcomes:
                continue
            answered = [each for each in outcomes[pool_of(row), prefix] if each is not None]
            counts = len(answered), sum(answered)
            yield Continued(row["category"], n_options, *counts, label["label"])


def share_rows(
    steps: Sequence[Continued], per_prefix: int, significance: float
) -> Iterator[dict[str, Any]]:
    """Rows of the continuation_shares table: all steps, those of each category, and of each number of options.

    Args:
        per_prefix: continuations of each step.
        significance: of labels, as for `most_by_guessing`.
    """
    answered = [step for step in steps if step.n_answers]
    categories = dict.fromkeys(step.category for step in answered)
    options = sorted({step.n_options for step in answered})
    parts: list[tuple[str | None, int | None]] = [
        (None, None),
        *((category, None) for category in categories),
        *((None, n) for n in options if len(options) > 1),
    ]
    for category, n_options in parts if answered else []:
        own, without = (
            [
                step
                for step in some
                if category in (None, step.category) and n_options in (None, step.n_options)
            ]
            for some in (answered, [step for step in steps if not step.n_answers])
        )
        yield {
            "category": category,
            "n_options": n_options,
            "n_steps": len(own),
            "n_unanswered": len(without),
            **_shares(own, per_prefix, significance),
        }


def _shares(steps: Sequence[Continued], per_prefix: int, significance: float) -> dict[str, Any]:
    rates = [guessing_rate(step.n_options) for step in steps]
    most = [
        most_by_guessing(step.n_answers, rate, significance)
        for step, rate in zip(steps, rates, strict=True)
    ]
    guessed = np.zeros(per_prefix + 1)
    any_guessed = good_guessed = 0.0
    for step, rate, limit in zip(steps, rates, most, strict=True):
        probabilities = by_guessing(step.n_answers, rate)
        any_guessed += sum(probabilities[1:])
        good_guessed += sum(probabilities[limit + 1 :])
        for n_right, probability in enumerate(probabilities):
            guessed[part_of(n_right, step.n_answers, per_prefix)] += probability
    counts = {label: [0] * (per_prefix + 1) for label in (1, 0, None)}
    for step in steps:
        counts[step.label][part_of(step.n_right, step.n_answers, per_prefix)] += 1
    n = len(steps)
    return {
        "guessing_rate": sum(rates) / n,
        "threshold": sum(limit / step.n_answers for limit, step in zip(most, steps, strict=True))
        / n,
        "any_right": sum(step.n_right > 0 for step in steps) / n,
        "good": sum(counts[1]) / n,
        "any_right_by_guessing": any_guessed / n,
        "good_by_guessing": good_guessed / n,
        "n_good_by_share": counts[1],
        "n_bad_by_share": counts[0],
        "n_unsure_by_share": counts[None],
        "n_guessed_by_share": guessed.tolist(),
    }


def by_guessing(n: int, rate: float) -> list[float]:
    """The probabilities of 0, 1, …, n right answers among n guesses."""
    return [comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)]


def part_of(n_right: int, n_answers: int, per_prefix: int) -> int:
    """The place of a share among 0/n, 1/n, …, n/n, for n continuations: the nearest one, if some have no answer."""
    return round(n_right * per_prefix / n_answers)
