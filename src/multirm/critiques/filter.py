"""Read verdicts from critiques and mark those not to train on, each with its reason; no row is lost.

The reasons are those of Multi-RM (arXiv 2510.00492), checked in the order of `DropReason`.
"""

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.critique_rows import (
    n_tokens,
    read_counted,
    require_critiques,
    require_generative,
    solution_key,
    with_solutions,
)
from multirm.tables.critiques import CRITIQUES, Agreement, CritiqueStage, DropReason
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import first_incorrect
from multirm.text.verdicts import Reading, conclude, read_critique

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]
Pair = tuple[Row, Row]

# The block of common Chinese characters; a teacher that slips into Chinese leaves the language of its prompt.
_CHINESE = re.compile("[\u4e00-\u9fff]")


@entry
def filter_critiques(
    kind: Kind,
    critiques: Path,
    solutions: Path,
    output: OutputFile,
    max_length: Count,
    seed: Seed,
    agreement: Agreement = Agreement.STRICT,
    dataset: str | None = None,
) -> None:
    """Mark critiques that are badly formed, disagree with the labels, are too long, duplicated, or surplus.

    Kept critiques end with the verdict line that the prompt asks for: text after the verdict is not trained on, so it
    is not checked.

    Args:
        kind: gORM or gPRM.
        critiques: table of generated critiques.
        solutions: table of their solutions, with labels.
        output: table of the same critiques with verdicts, each kept or with a reason.
        max_length: maximum number of tokens of prompt and critique together, in the teacher's tokens.
        seed: seed of the study; decides which critiques balancing drops.
        agreement: how far a gPRM critique must agree with the labels: `strict`, in its verdict on each step up to
            the first incorrect one, or `relaxed`, only in whether it finds an error, which it must if the
            solution's answer is wrong.
        dataset: the dataset of `solutions`, if it has some of the criticised solutions, or other labels of them;
            critiques of other solutions are left out.
    """
    require_generative(kind)
    require_critiques(critiques, kind, CritiqueStage.GENERATED)
    rows: Sequence[Row] = read_counted([critiques])
    labelled = parquet.read(solutions, SOLUTIONS).to_pylist()
    if dataset:
        rows = of_dataset(rows, labelled, dataset)
    pairs = with_solutions(rows, labelled, critiques)
    unknown = sum(n_tokens(row) is None for row in rows)
    if unknown:
        logger.warning(
            "%d of %d critiques have no counts of tokens: whether they are too long is not checked",
            unknown,
            len(rows),
        )
    marked = filtered(kind, pairs, max_length, seed, agreement)
    _report(marked)
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.FILTERED,
        "max_length": max_length,
        "seed": seed,
        "agreement": agreement,
        **({"dataset": dataset} if dataset else {}),
    }
    origin = origin_of(__name__, parameters, [critiques, solutions])
    parquet.write(output, CRITIQUES, marked, origin)


def of_dataset(critiques: Sequence[Row], solutions: Sequence[Row], dataset: str) -> list[Row]:
    """The critiques of some solutions, which have their ids in another dataset.

    Args:
        solutions: those of `dataset`.
    """
    known = {tuple(solution_key(row).values()) for row in solutions}
    renamed = [{**row, "dataset": dataset} for row in critiques]
    own: list[Row] = [row for row in renamed if tuple(solution_key(row).values()) in known]
    logger.info("%d of %d critiques are of solutions in %s", len(own), len(renamed), dataset)
    return own


def filtered(
    kind: Kind, pairs: Sequence[Pair], max_length: int, seed: int, agreement: Agreement
) -> list[dict[str, Any]]:
    """The rows of critiques, with their verdicts and the reason for each one that is dropped.

    Args:
        pairs: critiques with their solutions.
        max_length: maximum number of tokens.
        seed: seed of the balancing.
    """
    marked = [
        _read(kind, critique, solution, max_length, agreement) for critique, solution in pairs
    ]
    for select, reason in (
        (repeated, DropReason.DUPLICATE),
        (lambda rows: surplus(rows, seed), DropReason.UNBALANCED),
    ):
        left = [place for place, row in enumerate(marked) if row["kept"]]
        for place in select([marked[place] for place in left]):
            critique = pairs[left[place]][0]["critique"]
            marked[left[place]] |= {"critique": critique, "kept": False, "reason": reason}
    return marked


def _read(
    kind: Kind, critique: Row, solution: Row, max_length: int, agreement: Agreement
) -> dict[str, Any]:
    """The row of a critique judged by itself; duplicates and surplus are found among all."""
    text = critique["critique"]
    reading = read_critique(kind, text)
    # What would be trained on; if there is no verdict, the whole text.
    learned = text if reading.verdict is None else conclude(kind, text, reading)
    reason = (
        malformed(kind, text, reading, learned)
        or disagreeing(kind, reading, solution, agreement)
        or too_long(critique, learned, max_length)
    )
    return {
        **critique,
        "critique": text if reason else learned,
        "verdict": reading.verdict,
        "step_verdicts": reading.step_verdicts,
        "kept": reason is None,
        "reason": reason,
        "deviations": list(reading.deviations),
    }


def malformed(kind: Kind, critique: str, reading: Reading, learned: str) -> DropReason | None:
    """The reason to drop a critique for its form, or None.

    A gORM critique without steps has no reasoning; a gPRM critique without steps judged none.
    """
    if reading.thought_end < 0:
        return DropReason.NO_END_OF_THINKING
    if _CHINESE.search(learned):
        return DropReason.CHINESE_CHARACTERS
    thought = critique[: reading.thought_end].strip()
    if not (reading.judges_steps if kind is Kind.GPRM else thought):
        return DropReason.NO_STEPS
    if reading.verdict is None or (kind is Kind.GPRM and reading.step_verdicts is None):
        return DropReason.UNPARSABLE
    return None


def disagreeing(
    kind: Kind, reading: Reading, solution: Row, agreement: Agreement
) -> DropReason | None:
    """Whether a critique agrees with the labels: the outcome (gORM), or each step up to the first error (gPRM).

    A gPRM critique must also stop at the first step that it finds incorrect, because training ends there, and its
    verdict must follow from its steps. With relaxed agreement, it may judge all steps or stop at any of them, as
    long as the verdict matches the outcome.
    """
    outcome, labels = solution["outcome"], solution["step_labels"]
    if kind is Kind.GORM:
        return _compared(outcome, reading.verdict)
    judged = (reading.step_verdicts, reading.verdict)
    if agreement is Agreement.STRICT:
        expected = None if labels is None else _up_to_the_first_error(labels)
        return _compared(expected, judged)
    steps = reading.step_verdicts or []
    is_whole = len(steps) == len(solution["steps"])
    stops_early = reading.verdict == 0 and len(steps) < len(solution["steps"])
    if judged != _up_to_the_first_error(steps) or not (is_whole or stops_early):
        return DropReason.LABEL_DISAGREES
    return _compared(outcome, reading.verdict)


def _up_to_the_first_error(labels: Sequence[int]) -> tuple[list[int], int]:
    """The labels that a gPRM critique should have verdicts on, and the verdict that follows from them."""
    first = first_incorrect(labels)
    return list(labels) if first is None else list(labels[: first + 1]), int(first is None)


def too_long(critique: Row, learned: str, max_length: int) -> DropReason | None:
    """Whether prompt and critique have more than `max_length` tokens together; never if they were not counted.

    If only the first part of a critique is trained on, its tokens are estimated by its share of the characters. That
    takes the prompt's own count: without one, as in tables of version 1, the whole critique counts.
    """
    count, n_read, text = n_tokens(critique), critique["n_tokens_read"], critique["critique"]
    if count is None:
        return None
    if n_read is not None and len(learned) < len(text):
        count = n_read + math.ceil((count - n_read) * len(learned) / len(text))
    return DropReason.TOO_LONG if count > max_length else None


def _compared(labels: object, verdicts: object) -> DropReason | None:
    if labels is None:
        return DropReason.UNLABELLED
    return None if labels == verdicts else DropReason.LABEL_DISAGREES


def repeated(critiques: Sequence[Row]) -> list[int]:
    """The positions of critiques whose solution has the same text under a smaller critique_id."""
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
    """The positions of critiques to drop so that each category has as many Yes as No.

    The choice depends on `seed` and each critique's own key, not on the order of rows.
    """
    places: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for place, critique in enumerate(critiques):
        places[critique["category"]][critique["verdict"]].append(place)

    def lot(place: int) -> int:
        return item_seed(seed, "balance", *(critiques[place][name] for name in CRITIQUES.key))

    dropped: list[int] = []
    for verdicts in places.values():
        n_kept = min(map(len, verdicts))
        for group in verdicts:
            dropped += sorted(group, key=lot)[n_kept:]
    return dropped


def _report(rows: Sequence[Row]) -> None:
    """Log the counts of each category by reason, and warn if none is kept."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["category"]][row["reason"] or "kept"] += 1
        if row["reason"] is DropReason.UNBALANCED:
            counts[row["category"]]["Yes" if row["verdict"] else "No"] += 1
    for category, found in sorted(counts.items()):
        reasons = (each for each in found.most_common() if each[0] not in ("Yes", "No"))
        shown = ", ".join(f"{count} {reason}" for reason, count in reasons)
        logger.info("%s: %s", category, shown)
        if not found["kept"]:
            left = f"{found['Yes']} Yes and {found['No']} No"
            logger.warning(
                "%s: no critique is kept; %s were left to balance, and both are needed",
                category,
                left,
            )
