"""Entry point `read_critiques`: read critiques in Multi-RM's layout (arXiv 2510.00492), filtered and shortened.

One hub split per category, or a `preprocessed_{category}.json` or `{category}.json` in a folder. Each row is one
critique of a solution, which may have several: `q_id, question, cot_id, cot, critique, labels`. The critique is the
whole reply, from `<think>` to its verdict. `labels` has its verdict as 1 or -1 (gORM), or one for each step up to the
first incorrect one, where `cot` ends as well (gPRM). Earlier files call it `label`. For critiques with relaxed
agreement, `cot` ends where the solution is incorrect, wherever the critique says so.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.formats import multi_rm
from multirm.formats.json_source import Record
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative
from multirm.tables.critiques import CRITIQUES, Agreement, CritiqueStage, Deviation, DropReason
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import first_incorrect
from multirm.text.prompts import REPLY_START
from multirm.text.verdicts import conclude, read_critique

logger = logging.getLogger(__name__)

# Preprocessed files are often beside the raw ones, which have the category's own name.
_PREFIXES = ("preprocessed_", "")
# Critiques are taken unchanged, except for verdict lines that could not be scored.
_UNSCORABLE = {
    Deviation.VERDICT_SPELLING,
    Deviation.VERDICT_IMPLIED,
    Deviation.TEXT_AFTER,
}


@entry
def read_critiques(
    kind: Kind,
    source: list[Place],
    dataset: str,
    category: str,
    solutions: Path,
    output: OutputFile,
    agreement: Agreement = Agreement.STRICT,
) -> None:
    """Read critiques of one category from files or the hub into a critiques table, ready for training.

    Critiques whose verdict is missing or disagrees with their label are marked with the reason; the others are kept.

    Args:
        kind: gORM or gPRM.
        source: files, folders with `preprocessed_{category}.json` or `{category}.json`, or hub names.
        dataset: the dataset of the solutions.
        category: the category to read.
        solutions: the table with the solutions that were critiqued; it may contain others, too.
        output: the table to write, at the stage `shortened`.
        agreement: which verdicts of a gPRM critique must agree with the labels, as in `filter-critiques`.

    Raises:
        InputError: the source is missing or broken, is about other solutions, or has no critique to keep.
    """
    require_generative(kind)
    verified = {
        (row["dataset"], row["question_id"], row["solution_id"]): row
        for row in parquet.read(solutions, SOLUTIONS).to_pylist()
        if row["category"] == category
    }
    rows: list[dict[str, Any]] = []
    n_critiques: Counter[tuple[str, str, int]] = Counter()
    for record in multi_rm.records_of(source, category, prefixes=_PREFIXES):
        key = (dataset, record.identifier("q_id"), record.integer("cot_id"))
        if key not in verified:
            raise _about_others(record, f"q_id {key[1]}, cot_id {key[2]} of {dataset}", solutions)
        row = critique_row(kind, record, verified[key], solutions, agreement)
        names = dict(zip(("dataset", "question_id", "solution_id"), key, strict=True))
        rows.append({**names, "category": category, "critique_id": n_critiques[key], **row})
        n_critiques[key] += 1
    _report(kind, rows, ", ".join(source), category)
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.SHORTENED,
        "hub": multi_rm.hub_names(source),
        "dataset": dataset,
        "category": category,
        "agreement": agreement,
    }
    origin = origin_of(__name__, parameters, [*local(source), solutions])
    parquet.write(output, CRITIQUES, rows, origin)


def critique_row(
    kind: Kind,
    record: Record,
    solution: Mapping[str, Any],
    solutions: Path,
    agreement: Agreement = Agreement.STRICT,
) -> dict[str, Any]:
    """The columns of a critique, without its key.

    Args:
        solution: the row of the solution that it is about.
        solutions: the table with this row, for errors.

    Raises:
        InputError: a key is missing or malformed, or the steps are not the solution's.
    """
    reply = record.text("critique")
    if not reply.startswith(REPLY_START):
        raise record.error(
            "critique", expected=f"a text that starts with {REPLY_START!r}", found=shown(reply)
        )
    critique = reply.removeprefix(REPLY_START)
    steps = multi_rm.steps_of(record)
    key = _label_key(record)
    shown_steps = steps if agreement is Agreement.STRICT else solution["steps"]
    verdicts = (
        _step_verdicts(record, key, len(shown_steps), agreement) if kind is Kind.GPRM else None
    )
    # gORM critiques cover all steps; gPRM critiques end at the first incorrect one.
    own = solution["steps"] if verdicts is None else solution["steps"][: len(steps)]
    if steps != own:
        raise _about_others(record, f"other steps, {shown(steps)} not {shown(own)}", solutions)
    label = _rating(record, key, record.integer(key)) if verdicts is None else int(all(verdicts))
    reading = read_critique(kind, critique)
    verdict = reading.verdict
    reason: DropReason | None = None
    if verdict is None:
        reason = DropReason.UNPARSABLE
    elif verdict != label:
        reason = DropReason.LABEL_DISAGREES
    elif verdicts is not None:
        reason = _disagreeing(verdicts, solution, agreement)
    if reason is None and _UNSCORABLE & set(reading.deviations):
        critique = conclude(kind, critique, reading)
    return {
        "critique": critique,
        "verdict": verdict,
        "step_verdicts": verdicts,
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "truncated": False,
        "kept": reason is None,
        "reason": reason,
        "deviations": list(reading.deviations),
    }


def _label_key(record: Record) -> str:
    """The key of the labels: `labels`, or `label` in earlier files."""
    old, new = record.values.get("label"), record.values.get("labels")
    if old is not None and new is not None and old != new:
        raise record.error(
            "labels",
            expected=f"the same as the key label, {shown(old)}",
            found=shown(new),
            remedy="they are two names for the same value: delete the wrong one",
        )
    return "labels" if old is None else "label"


def _step_verdicts(record: Record, key: str, n_steps: int, agreement: Agreement) -> list[int]:
    verdicts = [_rating(record, key, rating) for rating in record.integers(key)]
    first = first_incorrect(verdicts)
    stops_early = agreement is Agreement.RELAXED and first is not None and len(verdicts) <= n_steps
    if first not in (None, len(verdicts) - 1) or not (len(verdicts) == n_steps or stops_early):
        of, last = (
            ("cot", "the last")
            if agreement is Agreement.STRICT
            else ("the solution", "one, and none after it")
        )
        raise record.error(
            key,
            expected=f"1 for each of the {n_steps} steps of {of}, or -1 for {last}",
            found=shown(record.get(key)),
        )
    return verdicts


def _rating(record: Record, key: str, rating: int) -> int:
    if rating not in (1, -1):
        raise record.error(key, expected="1 (correct) or -1", found=str(rating))
    return int(rating == 1)


def _disagreeing(
    verdicts: list[int], solution: Mapping[str, Any], agreement: Agreement
) -> DropReason | None:
    """Why a gPRM critique disagrees with the solution's labels; None if it agrees."""
    relaxed = agreement is Agreement.RELAXED
    labels = solution["outcome"] if relaxed else solution["step_labels"]
    if labels is None:
        return DropReason.UNLABELLED
    if relaxed:
        return None if int(all(verdicts)) == labels else DropReason.LABEL_DISAGREES
    first = first_incorrect(labels)
    expected = labels if first is None else labels[: first + 1]
    return None if verdicts == expected else DropReason.LABEL_DISAGREES


def _about_others(record: Record, found: str, solutions: Path) -> InputError:
    return InputError(
        record.where,
        expected=f"a critique of one of the solutions in {solutions}",
        found=found,
        remedy="give all the solutions that the critiques were made from",
    )


def _report(kind: Kind, rows: list[dict[str, Any]], source: str, category: str) -> None:
    """Log the number of critiques, with a warning about those that are not kept.

    Raises:
        InputError: none is kept.
    """
    reasons = Counter(row["reason"] for row in rows)
    dropped = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common() if reason)
    if not reasons[None]:
        raise InputError(
            source,
            expected=f"{kind} critiques of {category} whose verdicts agree with their labels",
            found=dropped,
            remedy="check --kind; for gPRM, give solutions with step labels",
        )
    logger.info("%s: %d %s critiques, %d of them kept", category, len(rows), kind, reasons[None])
    if dropped:
        logger.warning("%s: not kept: %s", category, dropped)
