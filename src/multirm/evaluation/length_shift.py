"""How far the lengths of solutions that reward models learn from are from those that they are evaluated on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation import jackknife
from multirm.evaluation.intervals import student
from multirm.running.arguments import EvaluationFolder, Place, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.critiques import CRITIQUES
from multirm.tables.length_shift import LENGTH_SHIFT, STEP_COUNTS, Part
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS_IF_ANY
from multirm.tables.sql import literals, reading, without_wildcards

_SOLUTIONS = """
    SELECT
        dataset, category, question_id, len(steps) AS n_steps, count(*) AS n,
        min(list_position({files}, file)) AS place
    FROM {solutions} GROUP BY ALL ORDER BY place, category, question_id, n_steps
"""

_KEPT = """
    SELECT
        dataset, category, question_id, {length} AS n_steps, count(*) AS n
    FROM {critiques} AS critiques
    JOIN {solutions} AS solutions USING (dataset, category, question_id, solution_id)
    WHERE kept GROUP BY ALL ORDER BY dataset, category, question_id, n_steps
"""

# The columns of critiques that the query needs; all versions have them.
_OF_CRITIQUES = (*SOLUTIONS_IF_ANY.key, "kept")

_WHOLE = "len(steps)"
_TO_FIRST_ERROR = "coalesce(nullif(list_position(step_labels, 0), 0), len(steps))"


@dataclass(frozen=True)
class Source:
    """Which solutions lengths are of: columns of the tables."""

    part: Part
    learned_from: str | None = None
    critiques: str | None = None
    kind: str | None = None


Lengths = Mapping[str, np.ndarray]
"""For each category, how many solutions of each question have k steps: int [questions, most steps + 1]."""


@entry
@reading("--solutions, --learned, --critiques")
def measure_length_shift(
    solutions: list[Path],
    learned: list[Path],
    output: EvaluationFolder,
    critiques: list[Place] | None = None,
) -> None:
    """Compare the lengths of solutions that reward models learn from with those that they are evaluated on.

    Args:
        solutions: Tables of the solutions of one dataset that is evaluated.
        learned: Tables of the solutions of training datasets, also those that critiques are about.
        output: Folder for the tables: step_counts (how many solutions have how many steps) and length_shift
            (Wasserstein distances, which are 0 where lengths are distributed alike).
        critiques: SET=PATH: tables of filtered critiques.
    """
    named = _named(critiques or [])
    sources = read_lengths(solutions, learned, named)
    (dataset,) = {row["dataset"] for row in _query(_SOLUTIONS, solutions=solutions)}
    rows = [
        (STEP_COUNTS, length_rows(sources)),
        (LENGTH_SHIFT, shift_rows(sources)),
    ]
    files = [*solutions, *learned, *(path for paths in named.values() for path in paths)]
    made: list[tuple[Path, Schema, Sequence[Mapping[str, Any]]]] = [
        (output / f"{schema.name}.parquet", schema, [{"dataset": dataset, **row} for row in own])
        for schema, own in rows
    ]
    parquet.write_together(made, origin_of(__name__, {}, files))


def _named(pairs: Iterable[str]) -> dict[tuple[str, str], list[Path]]:
    """Tables of critiques by their set and their kind, which is in their footers."""
    found: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for pair in pairs:
        name, _, path = pair.partition("=")
        if not name or not path:
            raise InputError("--critiques", expected="SET=PATH", found=shown(pair))
        kind = parquet.read_footer(Path(path)).parameters.get("kind")
        found[name, str(kind)].append(Path(path))
    return dict(found)


def read_lengths(
    solutions: Sequence[Path],
    learned: Sequence[Path],
    critiques: Mapping[tuple[str, str], Sequence[Path]],
) -> dict[Source, Lengths]:
    """Lengths of the test solutions first, then of each training dataset and of what filtering kept.

    Categories are those of the test solutions, in their order.

    Args:
        critiques: tables by set and kind.

    Raises:
        InputError: other tables, or test solutions of several datasets.
    """
    tested = _query(_SOLUTIONS, solutions=solutions)
    if len(datasets := sorted({row["dataset"] for row in tested})) != 1:
        raise InputError("--solutions", expected="one dataset", found=", ".join(datasets) or "none")
    found: dict[Source, Lengths] = {Source(Part.TEST): _by_category(tested)}
    if learned:
        trained = _query(_SOLUTIONS, solutions=learned)
        for name in dict.fromkeys(row["dataset"] for row in trained):
            own = [row for row in trained if row["dataset"] == name]
            found[Source(Part.TRAIN, name)] = _by_category(own)
    for (critique_set, kind), tables in critiques.items():
        parts = {Part.KEPT: _WHOLE}
        if kind == Kind.GPRM:
            parts[Part.SEEN] = _TO_FIRST_ERROR
        for part, length in parts.items():
            rows = _query(_KEPT.replace("{length}", length), solutions=learned, critiques=tables)
            for name in dict.fromkeys(row["dataset"] for row in rows):
                source = Source(part, name, critique_set, kind)
                found[source] = _by_category([row for row in rows if row["dataset"] == name])
    categories = found[Source(Part.TEST)]
    return {
        source: {name: lengths[name] for name in categories if name in lengths}
        for source, lengths in found.items()
        if not categories.keys().isdisjoint(lengths)
    }


def _query(query: str, **tables: Sequence[Path]) -> list[dict[str, Any]]:
    schemas = {"solutions": SOLUTIONS_IF_ANY, "critiques": CRITIQUES}
    unread = {"critiques": {*CRITIQUES.columns.names} - {*_OF_CRITIQUES}}
    for name, paths in tables.items():
        for path in paths:
            parquet.check_readable(path, schemas[name], unread.get(name, ()))
    places = {
        name: f"read_parquet({literals(map(without_wildcards, paths))}, "
        "hive_partitioning = false, filename = 'file')"
        for name, paths in tables.items()
    }
    places["files"] = literals(tables["solutions"])
    found: list[dict[str, Any]] = (
        duckdb.connect().sql(query.format(**places)).to_arrow_table().to_pylist()
    )
    return found


def _by_category(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    longest = max(row["n_steps"] for row in rows)
    found = {}
    for category in dict.fromkeys(row["category"] for row in rows):
        own = [row for row in rows if row["category"] == category]
        questions = {
            question: k for k, question in enumerate({row["question_id"]: 0 for row in own})
        }
        counts = np.zeros((len(questions), longest + 1), dtype=np.int64)
        for row in own:
            counts[questions[row["question_id"]], row["n_steps"]] += row["n"]
        found[category] = counts
    return found


def length_rows(sources: Mapping[Source, Lengths]) -> list[dict[str, Any]]:
    """The step_counts table: the share of each number of steps that occurs; Overall is the mean over categories."""
    rows = []
    for source, lengths in sources.items():
        counts = {category: of.sum(axis=0) for category, of in lengths.items()}
        shares = {category: of / of.sum() for category, of in counts.items()}
        counts = {OVERALL: np.sum(list(counts.values()), axis=0), **counts}
        shares = {OVERALL: np.mean(list(shares.values()), axis=0), **shares}
        rows += [
            {
                "category": category,
                **asdict(source),
                "n_steps": int(k),
                "n_solutions": int(counts[category][k]),
                "share": float(shares[category][k]),
            }
            for category in counts
            for k in np.flatnonzero(counts[category])
        ]
    return rows


def shift_rows(sources: Mapping[Source, Lengths]) -> list[dict[str, Any]]:
    """The length_shift table: categories that have both training and test solutions; Overall is their mean."""
    tested = sources[Source(Part.TEST)]
    return [
        {"category": category, **asdict(source), **columns}
        for source, lengths in sources.items()
        if source.part is not Part.TEST
        for category, columns in _shifts(lengths, tested).items()
    ]


def _shifts(lengths: Lengths, tested: Lengths) -> dict[str, dict[str, Any]]:
    """Columns of the length_shift table for Overall and each category of some lengths."""
    found = {name: shift(own, tested[name]) for name, own in lengths.items()}
    columns: dict[str, dict[str, Any]] = {
        name: {
            "n_questions": len(own),
            "n_solutions": int(own.sum()),
            "mean_steps": _mean(own.sum(axis=0)),
            **found[name].columns,
        }
        for name, own in lengths.items()
    }
    overall = {
        "n_questions": sum(each["n_questions"] for each in columns.values()),
        "n_solutions": sum(each["n_solutions"] for each in columns.values()),
        "mean_steps": float(np.mean([each["mean_steps"] for each in columns.values()])),
        **_mean_shift(list(found.values())).columns,
    }
    return {OVERALL: overall, **columns}


@dataclass(frozen=True)
class Shift:
    """A distance in steps, with its variance over questions (NaN where it is not known) and degrees of freedom."""

    distance: float
    variance: float
    df: int

    @property
    def columns(self) -> dict[str, float | None]:
        """The distance with Student's 95 % interval, from 0 on."""
        if np.isnan(self.variance):
            return {"distance": self.distance, "distance_low": None, "distance_high": None}
        half = float(student(self.df)) * self.variance**0.5
        low, high = max(self.distance - half, 0.0), self.distance + half
        return {"distance": self.distance, "distance_low": low, "distance_high": high}


def shift(lengths: np.ndarray, others: np.ndarray) -> Shift:
    """The Wasserstein distance of two distributions of lengths, and how it would vary with other questions.

    Each question of each side is left out once (the jackknife). Distances of samples are a little larger than
    those of what they are drawn from, since chance differences count too.

    Args:
        lengths, others: int [questions, most steps + 1]: solutions by question and number of steps; each may
            have questions and lengths of its own.
    """
    width = max(lengths.shape[1], others.shape[1])
    sides = [np.pad(side, ((0, 0), (0, width - side.shape[1]))) for side in (lengths, others)]
    totals = [side.sum(axis=0) for side in sides]
    variance = 0.0
    for side, total, other in zip(sides, totals, reversed(totals), strict=True):
        without = total - side if len(side) > 1 else np.empty((0, width))
        variance += jackknife.variance(wasserstein(without, other))
    return Shift(
        float(wasserstein(totals[0], totals[1])), variance, max(1, min(map(len, sides)) - 1)
    )


def _mean_shift(shifts: Sequence[Shift]) -> Shift:
    """The mean over categories, whose questions are drawn independently."""
    return Shift(
        float(np.mean([each.distance for each in shifts])),
        float(np.sum([each.variance for each in shifts])) / len(shifts) ** 2,
        min(each.df for each in shifts),
    )


def wasserstein(counts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The Wasserstein distance of distributions over 0, 1, 2, …: the area between their cumulative shares.

    That the two are equal is shown by Vallender 1974, "Calculation of the Wasserstein distance between probability
    distributions on the line".

    Args:
        counts: [..., numbers]; a distribution each, up to a factor.
        others: [numbers].

    Returns:
        float64 [...], in steps.
    """
    cumulated = np.cumsum(counts, axis=-1) / counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(cumulated - np.cumsum(others) / others.sum()).sum(axis=-1))


def _mean(counts: np.ndarray) -> float:
    return float(counts @ np.arange(len(counts)) / counts.sum())
