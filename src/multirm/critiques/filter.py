"""Mark the critiques that are not to be learned from, each with its reason; no row is lost.

The reasons are those of Multi-RM (arXiv 2510.00492), tried in the order of `DropReason`.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm import tables
from multirm.critique_rows import (
    require_critiques,
    require_generative,
    solution_key,
    with_solutions,
)
from multirm.labels import first_incorrect
from multirm.numbers import Count, Seed
from multirm.prompts import END_OF_THINKING, has_step_verdicts
from multirm.provenance import origin_of
from multirm.randomness import item_seed
from multirm.vocabulary import CritiqueStage, DropReason, Kind

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]
Pair = tuple[Row, Row]

# The block of common ideographs; a teacher that slips into Chinese leaves the language of its prompt.
_CHINESE = re.compile("[\u4e00-\u9fff]")


def filter_critiques(
    kind: Kind,
    critiques: Path,
    solutions: Path,
    output: Path,
    max_length: Count,
    seed: Seed,
) -> None:
    """Mark critiques that are badly formed, disagree with the labels, are too long, repeated, or too many.

    Args:
        kind: gORM or gPRM.
        critiques: table of critiques as they were generated.
        solutions: table of the solutions that they are about, with labels.
        output: table of the same critiques, kept or with a reason.
        max_length: most tokens of prompt and critique together, as the teacher counts them.
        seed: seed of the study; decides which critiques balancing leaves out.
    """
    require_generative(kind)
    require_critiques(critiques, kind, CritiqueStage.GENERATED)
    rows = tables.read(critiques, tables.CRITIQUES).to_pylist()
    labelled = tables.read(solutions, tables.SOLUTIONS).to_pylist()
    pairs = with_solutions(rows, labelled, critiques)
    reasons = drop_reasons(kind, pairs, max_length, seed)
    _report(rows, reasons)
    marked = [
        {**row, "kept": reason is None, "reason": reason}
        for row, reason in zip(rows, reasons, strict=True)
    ]
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.FILTERED,
        "max_length": max_length,
        "seed": seed,
    }
    origin = origin_of(__name__, parameters, [critiques, solutions])
    tables.write(output, tables.CRITIQUES, marked, origin)


def drop_reasons(
    kind: Kind, pairs: Sequence[Pair], max_length: int, seed: int
) -> list[DropReason | None]:
    """Why each critique is left out, or None where it is kept.

    Args:
        pairs: critiques with the solutions that they are about.
        max_length: most tokens.
        seed: of the balance.
    """
    reasons = [
        malformed(kind, critique)
        or disagreeing(kind, critique, solution)
        or too_long(critique, max_length)
        for critique, solution in pairs
    ]
    for select, reason in (
        (repeated, DropReason.DUPLICATE),
        (lambda rows: surplus(rows, seed), DropReason.UNBALANCED),
    ):
        left = [place for place, found in enumerate(reasons) if found is None]
        for place in select([pairs[place][0] for place in left]):
            reasons[left[place]] = reason
    return reasons


def malformed(kind: Kind, critique: Row) -> DropReason | None:
    """What is wrong with a critique's form.

    A gORM critique without steps thought nothing; a gPRM critique without steps judged none.
    """
    text = critique["critique"]
    if END_OF_THINKING not in text:
        return DropReason.NO_END_OF_THINKING
    if _CHINESE.search(text):
        return DropReason.CHINESE_CHARACTERS
    thought = text.rpartition(END_OF_THINKING)[0]
    if not (has_step_verdicts(text) if kind is Kind.GPRM else thought.strip()):
        return DropReason.NO_STEPS
    if critique["verdict"] is None or (kind is Kind.GPRM and critique["step_verdicts"] is None):
        return DropReason.UNPARSABLE
    return None


def disagreeing(kind: Kind, critique: Row, solution: Row) -> DropReason | None:
    """Whether a critique says what the labels say: the outcome (gORM), or each step up to the first error (gPRM).

    A gPRM critique must also stop at the first incorrect step, because what it learns from ends there.
    """
    if kind is Kind.GORM:
        labels, verdicts = solution["outcome"], critique["verdict"]
        return _compared(labels, verdicts)
    step_labels = solution["step_labels"]
    if step_labels is None:
        return DropReason.UNLABELLED
    first = first_incorrect(step_labels)
    expected = step_labels if first is None else step_labels[: first + 1]
    return _compared(
        (expected, int(first is None)), (critique["step_verdicts"], critique["verdict"])
    )


def too_long(critique: Row, max_length: int) -> DropReason | None:
    """Whether a critique and its prompt come to more than `max_length` tokens; uncounted ones do not."""
    n_tokens = critique["n_tokens"]
    return DropReason.TOO_LONG if n_tokens is not None and n_tokens > max_length else None


def _compared(labels: object, verdicts: object) -> DropReason | None:
    if labels is None:
        return DropReason.UNLABELLED
    return None if labels == verdicts else DropReason.LABEL_DISAGREES


def repeated(critiques: Sequence[Row]) -> list[int]:
    """The places of critiques whose solution has the same text under a smaller critique_id."""
    first: dict[tuple[Any, ...], int] = {}
    by_number = sorted(range(len(critiques)), key=lambda place: critiques[place]["critique_id"])
    return [
        place
        for place in by_number
        if first.setdefault(
            (*solution_key(critiques[place]).values(), critiques[place]["critique"]), place
        )
        != place
    ]


def surplus(critiques: Sequence[Row], seed: int) -> list[int]:
    """The places of critiques that must go for each category to have as many Yes as No.

    Which ones go depends on `seed` and each critique's own key, not on the order of rows.
    """
    places: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for place, critique in enumerate(critiques):
        places[critique["category"]][critique["verdict"]].append(place)

    def lot(place: int) -> int:
        return item_seed(
            seed, "balance", *(critiques[place][name] for name in tables.CRITIQUES.key)
        )

    dropped: list[int] = []
    for verdicts in places.values():
        n_kept = min(map(len, verdicts))
        for group in verdicts:
            dropped += sorted(group, key=lot)[n_kept:]
    return dropped


def _report(rows: Sequence[Row], reasons: Sequence[DropReason | None]) -> None:
    """Log what became of each category's critiques, and warn where none is left."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row, reason in zip(rows, reasons, strict=True):
        counts[row["category"]][reason or "kept"] += 1
        if reason is DropReason.UNBALANCED:
            counts[row["category"]]["Yes" if row["verdict"] else "No"] += 1
    for category, found in sorted(counts.items()):
        shown = ", ".join(f"{found[r]} {r}" for r in ("kept", *DropReason) if found[r])
        logger.info("%s: %s", category, shown)
        if not found["kept"]:
            left = f"{found['Yes']} Yes and {found['No']} No"
            logger.warning(
                "%s: no critique is kept; %s were left to balance, and both are needed",
                category,
                left,
            )
