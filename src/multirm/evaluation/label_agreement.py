"""Entry point `compare_labels`: compare step labels of several sources with labels that are known to be right."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation.estimates import Estimate, Measure, estimate, in_columns, rows_of, summaries
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.label_agreement import LABEL_AGREEMENT, MEASURES
from multirm.tables.labels import Key, read_labels, refuse_other_labels, solution_of
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS_IF_ANY, pool_of
from multirm.text.labels import up_to_first_error

logger = logging.getLogger(__name__)

# Kinds of solutions, by what is known and what the source says.
MISSING, BOTH_GOOD, MISSED, INVENTED, SAME_STEP, OTHER_STEP = range(6)


@entry
def compare_labels(
    solutions: list[Path],
    labels: list[Place],
    output: OutputFile,
    truth: list[Path] | None = None,
) -> None:
    """Compare step labels with those of the solutions, or with a table of known ones, by the first bad step.

    Solutions whose first bad step is not known are left out. A source labels a solution if it knows the first bad step:
    it has labels of all steps up to it, or of all steps if none is bad.

    Args:
        solutions: solutions tables of one dataset, a category each.
        labels: NAME=PATH, tables of labels of these solutions. Tables with the same name are the same source's, in
            different categories.
        output: table of agreements.
        truth: labels tables that are known to be right; by default, the solutions' own labels are.

    Raises:
        InputError: no solution has a known first bad step, or a table has labels of several sources, of other
            solutions, or of the same ones as another table with its name.
    """
    rows = parquet.read_all(solutions, SOLUTIONS_IF_ANY).to_pylist()
    of = _Solutions(
        {solution_of(row): len(row["steps"]) for row in rows}, ", ".join(map(str, solutions))
    )
    known = of.read(truth)[1] if truth else _known(rows)
    if not known:
        raise InputError(
            ", ".join(map(str, truth or solutions)),
            expected="solutions whose first bad step is known",
            found="none",
        )
    named: dict[str, list[Path]] = {}
    for each in labels:
        name, _, path = each.partition("=")
        named.setdefault(name, []).append(Path(path))
    tables = {name: of.read(paths) for name, paths in named.items()}
    found = agreements(rows, known, {name: of_steps for name, (_, of_steps) in tables.items()})
    dataset = rows[0]["dataset"]
    written = [
        {"dataset": dataset, "category": category, "labels": name, "source": tables[name][0]} | row
        for category, name, row in found
    ]
    paths = [path for each in named.values() for path in each]
    origin = origin_of(__name__, {"labels": sorted(named)}, [*solutions, *paths, *(truth or [])])
    parquet.write(output, LABEL_AGREEMENT, written, origin)
    logger.info("compared %d sources on %d solutions of %s", len(named), len(known), dataset)


def agreements(
    rows: Sequence[Row],
    known: Mapping[Key, list[int]],
    sources: Mapping[str, Mapping[Key, list[int]]],
) -> list[tuple[str, str, dict[str, Any]]]:
    """Agreements of each source with what is known.

    Args:
        rows: rows of a solutions table.
        known, sources: of each solution, the labels up to and including the first bad step; none where unknown.

    Returns:
        category, name of the source, and the counts and measures of LABEL_AGREEMENT: Overall first.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for category in dict.fromkeys(row["category"] for row in rows):
        own = [row for row in rows if row["category"] == category and solution_of(row) in known]
        if own:
            questions = np.unique([str(pool_of(row)) for row in own], return_inverse=True)[1]
            found[category] = {
                name: _estimates(
                    np.array(
                        [_kind(known[solution_of(row)], of.get(solution_of(row))) for row in own]
                    ),
                    np.array([len(row["steps"]) for row in own]),
                    questions,
                )
                for name, of in sources.items()
            }
    kappa = MEASURES.index("kappa")
    shares = [name for name in MEASURES if name != "kappa"]
    result = []
    with_bounds = summaries(_columns(found, [MEASURES.index(name) for name in shares]), {})
    # Kappa may be negative.
    unbounded = {
        (category, name): rows_of(
            ["kappa"], replace(summary, low=summary.low.clip(-1), high=summary.high.clip(max=1))
        )[0]
        for category, name, summary in summaries(_columns(found, [kappa]), {}, is_share=False)
    }
    for category, name, summary in with_bounds:
        row, other = rows_of(shares, summary)[0], unbounded[category, name]
        notes = [note for note in (row["note"], other["note"]) if note]
        result.append((category, name, {**other, **row, "note": "; ".join(notes) or None}))
    return result


def _columns(
    found: Mapping[str, Mapping[str, Estimate]], columns: Sequence[int]
) -> dict[str, dict[str, Estimate]]:
    return {
        category: {name: each.only(columns) for name, each in own.items()}
        for category, own in found.items()
    }


def _estimates(kinds: np.ndarray, n_steps: np.ndarray, questions: np.ndarray) -> Estimate:
    """All measures of one source in one category."""
    labelled = kinds != MISSING
    counts = {"n_labelled": int(labelled.sum()), "n_missing": int((~labelled).sum())}
    every = np.ones(len(kinds), dtype=bool)
    found = {
        name: estimate(measure, kinds, questions, every if name == "labelled" else labelled, 6)
        for name, measure in _MEASURES.items()
    }
    found["agreement_by_chance"] = estimate(
        _by_chance, n_steps, questions, labelled, int(n_steps.max()) + 1
    )
    found["kappa"] = _with_spread(found["kappa"], kinds[labelled])
    return in_columns([[found[name]] for name in MEASURES], [counts])


def _with_spread(kappa: Estimate, kinds: np.ndarray) -> Estimate:
    """Kappa, whose spread is unknown if one of the two says the same of all solutions: it is 0 without any of them."""
    known, said = (np.isin(kinds, good) for good in ((BOTH_GOOD, INVENTED), (BOTH_GOOD, MISSED)))
    if len(np.unique(known)) > 1 and len(np.unique(said)) > 1:
        return kappa
    return replace(kappa, without=np.full_like(kappa.without, np.nan))


def _share(members: Sequence[int], among: Sequence[int]) -> Measure:
    """The share of some kinds of solutions among others."""

    def share(counts: np.ndarray) -> np.ndarray:
        n = counts[..., list(among)].sum(axis=-1)
        return np.asarray(counts[..., list(members)].sum(axis=-1) / np.where(n > 0, n, np.nan))

    return share


def _by_chance(counts: np.ndarray) -> np.ndarray:
    """The mean probability to name the right one of a solution's steps and none, from counts by number of steps."""
    n = counts.sum(axis=-1)
    right = counts @ (1 / (1 + np.arange(counts.shape[-1])))
    return np.asarray(right / np.where(n > 0, n, np.nan))


def _kappa(counts: np.ndarray) -> np.ndarray:
    """Cohen's kappa (1960) of two judgements, known and the source's, of whether there is a bad step."""
    good, missed, invented = (counts[..., kind] for kind in (BOTH_GOOD, MISSED, INVENTED))
    bad = counts[..., SAME_STEP] + counts[..., OTHER_STEP]
    n = good + missed + invented + bad
    observed = (good + bad) / n
    expected = ((good + invented) * (good + missed) + (bad + missed) * (bad + invented)) / n**2
    return np.asarray((observed - expected) / np.where(expected < 1, 1 - expected, np.nan))


_LABELLED = (BOTH_GOOD, MISSED, INVENTED, SAME_STEP, OTHER_STEP)
_MEASURES: Mapping[str, Measure] = {
    "first_bad_agreement": _share((BOTH_GOOD, SAME_STEP), _LABELLED),
    "agreement_if_good": _share((BOTH_GOOD,), (BOTH_GOOD, MISSED)),
    "agreement_if_bad": _share((SAME_STEP,), (INVENTED, SAME_STEP, OTHER_STEP)),
    "recall_good": _share((BOTH_GOOD,), (BOTH_GOOD, INVENTED)),
    "recall_bad": _share((SAME_STEP,), (MISSED, SAME_STEP, OTHER_STEP)),
    "kappa": _kappa,
    "share_without_bad": _share((BOTH_GOOD, MISSED), _LABELLED),
    "known_without_bad": _share((BOTH_GOOD, INVENTED), _LABELLED),
    "labelled": _share(_LABELLED, (MISSING, *_LABELLED)),
}


def _kind(known: list[int], said: list[int] | None) -> int:
    if said is None:
        return MISSING
    known_good, said_good = 0 not in known, 0 not in said
    if known_good or said_good:
        return {(True, True): BOTH_GOOD, (True, False): INVENTED, (False, True): MISSED}[
            known_good, said_good
        ]
    return SAME_STEP if len(known) == len(said) else OTHER_STEP


def _known(rows: Sequence[Row]) -> dict[Key, list[int]]:
    found = {solution_of(row): up_to_first_error(row["step_labels"] or [None]) for row in rows}
    return {key: labels for key, labels in found.items() if labels is not None}


@dataclass(frozen=True)
class _Solutions:
    """The solutions that labels may be about: the number of steps of each, and their files."""

    lengths: Mapping[Key, int]
    files: str

    def read(self, paths: Sequence[Path]) -> tuple[str, dict[Key, list[int]]]:
        """The source of some tables of labels, and of each solution the labels up to the first bad step, if known."""
        tables = {path: read_labels(path) for path in paths}
        sources = {
            row["source"]
            for table in tables.values()
            for of_steps in table.values()
            for row in of_steps.values()
        }
        if len(sources) > 1:
            raise InputError(
                ", ".join(map(str, paths)),
                expected="labels from a single source",
                found=f"some from {', '.join(sorted(sources))}",
                remedy="give each source a name of its own",
            )
        every: dict[Key, Mapping[int, Row]] = {}
        for path, table in tables.items():
            refuse_other_labels(path, table, self.lengths, self.files)
            for key in every.keys() & table.keys():
                raise InputError(
                    path,
                    expected="labels of each solution in one table of a source",
                    found=f"some of {shown(key)}, which is in another one as well",
                    remedy="give each source a name of its own",
                )
            every |= table
        known = {key: self._known(key, of_steps) for key, of_steps in every.items()}
        found = {key: labels for key, labels in known.items() if labels is not None}
        return next(iter(sources), "none"), found

    def _known(self, key: Key, of_steps: Mapping[int, Row]) -> list[int] | None:
        steps = range(self.lengths[key])
        return up_to_first_error([of_steps[k]["label"] if k in of_steps else None for k in steps])
