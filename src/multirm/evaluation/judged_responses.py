"""Responses, their lengths and their rewards as arrays, from tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation.arguments import parse_aggregations, parse_rewards
from multirm.evaluation.response_points import Group
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.response_accuracy import LONGER
from multirm.tables.responses import RESPONSES, Benchmark, Style
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Judged:
    """The responses of one benchmark.

    Attributes:
        rows: of the responses table, in its order.
        benchmark: of all of them.
        n_characters: of each response, of its last step if the benchmark compares steps, int [responses].
        prompts: the number of each response's prompt: responses to the same text have one, int [responses].
    """

    rows: Sequence[Row]
    benchmark: Benchmark
    n_characters: np.ndarray
    prompts: np.ndarray

    @property
    def places(self) -> dict[Key, int]:
        return {_key(row): place for place, row in enumerate(self.rows)}

    def groups(self, n_shown: int | None) -> list[Group]:
        """The responses that are compared with each other, of which so many characters are shown."""
        places: dict[Key, list[int]] = {}
        for place, row in enumerate(self.rows):
            if row["n_shown"] == n_shown:
                places.setdefault(_key(row)[:-1], []).append(place)
        return [self._group(own) for own in places.values()]

    def _group(self, places: Sequence[int]) -> Group:
        sides = [
            [place for place in places if self.rows[place]["is_chosen"] is side]
            for side in (True, False)
        ]
        styles = [
            [Style(style) for place in side if (style := self.rows[place]["style"])]
            for side in sides
        ]
        first = self.rows[places[0]]
        return Group(
            first["category"],
            first["question_id"],
            int(self.prompts[places[0]]),
            chosen=np.array(sides[0], dtype=np.int64),
            rejected=np.array(sides[1], dtype=np.int64),
            styles=(styles[0], styles[1]),
        )


@dataclass(frozen=True)
class Scored:
    """One reward model's rewards of the responses.

    Attributes:
        model, aggregation: as reported.
        rewards: float64 [responses]; NaN if missing.
        n_tokens: what it read, of prompt and response, float64 [responses]; NaN if unknown.
    """

    model: str
    aggregation: Aggregation
    rewards: np.ndarray
    n_tokens: np.ndarray


def read_judged(responses: Sequence[Path], solutions: Sequence[Path]) -> Judged:
    """The responses, with the texts of the solutions that have the same keys.

    Raises:
        InputError: there are several datasets or benchmarks, or a response has no text.
    """
    rows = parquet.read_all(responses, RESPONSES).to_pylist()
    for name in ("dataset", "benchmark"):
        found = sorted({row[name] for row in rows})
        if len(found) > 1:
            raise InputError(
                ", ".join(map(str, responses)), expected=f"one {name}", found=", ".join(found)
            )
    benchmark = Benchmark(rows[0]["benchmark"])
    texts = {_key(row): row for row in parquet.read_all(solutions, SOLUTIONS).to_pylist()}
    numbers: dict[str, int] = {}
    lengths, prompts = [], []
    for row in rows:
        text = texts.get(_key(row))
        if text is None:
            raise InputError(
                ", ".join(map(str, solutions)),
                expected="the text of every response",
                found=f"none of {'/'.join(map(str, _key(row)))}",
                remedy="give the solutions that were written beside the responses",
            )
        steps = text["steps"]
        is_step = benchmark is Benchmark.PRM800K
        lengths.append(len(steps[-1] if is_step else "\n\n".join(steps)))
        prompts.append(numbers.setdefault(text["question"], len(numbers)))
    return Judged(rows, benchmark, np.array(lengths), np.array(prompts))


def read_scored(judged: Judged, rewards: Sequence[str], aggregation: Sequence[str]) -> list[Scored]:
    """Each model with each of its aggregations, and last of all the stand-in that prefers longer responses.

    Raises:
        InputError: an option is invalid, or rewards are not of exactly the responses.
    """
    aggregations = parse_aggregations(aggregation)
    found = []
    for model, places in parse_rewards(rewards, aggregations).items():
        table = parquet.read_all(map(Path, places), REWARDS)
        order = _order(judged, table.select(SOLUTIONS.key).to_pylist(), places)
        lists = table["rewards"].combine_chunks()
        n_tokens = table["n_tokens_read"].to_pandas().to_numpy(dtype=np.float64)
        for each in aggregations[model]:
            values = aggregate_lists(lists, each)
            found.append(Scored(model, each, values[order], n_tokens[order]))
    unknown = np.full(len(judged.rows), np.nan)
    found.append(Scored(LONGER, Aggregation.LAST, judged.n_characters.astype(float), unknown))
    return found


def _order(judged: Judged, keys: Sequence[Row], places: Sequence[str]) -> np.ndarray:
    """Where the rewards of each response are, int [responses]."""
    at: dict[Key, int] = {}
    for place, row in enumerate(keys):
        if at.setdefault(_key(row), place) != place:
            raise InputError(
                ", ".join(places),
                expected="each response once",
                found=shown("/".join(map(str, _key(row)))),
            )
    wanted: Mapping[Key, int] = judged.places
    for some, complaint in (
        ([key for key in wanted if key not in at], "none"),
        ([key for key in at if key not in wanted], "also some"),
    ):
        if some:
            first = "; ".join("/".join(map(str, key)) for key in some[:3])
            raise InputError(
                ", ".join(places),
                expected="rewards of exactly the responses",
                found=f"{complaint} of {len(some)} (first: {first})",
            )
    return np.array([at[key] for key in wanted])


def _key(row: Row) -> Key:
    return tuple(row[name] for name in RESPONSES.key)
