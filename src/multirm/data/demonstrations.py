"""Entry point `demonstrate`: critiques made from known step labels, for a backbone to learn the formats from.

Where the table holds a solution to the same question without an incorrect step, the critique restates
that solution's steps before it judges, so that a judgement follows from what was said; otherwise the
labels alone speak.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm import tables
from multirm.errors import InputError
from multirm.labels import first_incorrect
from multirm.prompts import END_OF_THINKING, VERDICT_MARKS
from multirm.randomness import item_generator
from multirm.vocabulary import Kind

logger = logging.getLogger(__name__)

# One in so many critiques says a sentence more than it needs after the end of thinking.
_WORDY = 4
_SURPLUS = (
    "So the check of this solution is complete.",
    "With that, all that matters has been looked at.",
    "This settles the matter.",
)


def demonstrate(solutions: Path, kind: Kind, output: Path, seed: int) -> None:
    """Write a critique of every labelled solution, in the format of a generative reward model.

    Args:
        solutions: solutions table with step labels.
        kind: gORM or gPRM.
        output: critiques table; solutions without the labels that the kind needs have no row.
        seed: seed of the study.
    """
    if not kind.is_generative:
        raise InputError("demonstrate", expected="gORM or gPRM", found=kind)
    rows = tables.read(solutions, tables.SOLUTIONS).to_pylist()
    references = _references(rows)
    critiques = []
    for row in rows:
        labelled = row["step_labels"] is not None
        if not labelled or (kind is Kind.GORM and row["outcome"] is None):
            continue
        key = {name: row[name] for name in tables.SOLUTIONS.key}
        reference = references.get(_question(row))
        surplus = _surplus(item_generator(seed, "demonstration", kind, *key.values()).random())
        if kind is Kind.GORM:
            critiques.append({**key, **_critique(*_check_outcome(row, reference), kind, surplus)})
        else:
            text, verdicts = _check_steps(row, reference)
            critique = _critique(text, int(all(verdicts)), kind, surplus)
            critiques.append({**key, **critique, "step_verdicts": verdicts})
    parameters = {"kind": kind, "seed": seed}
    tables.write(output, tables.CRITIQUES, critiques, parameters=parameters, inputs=[solutions])
    logger.info("%d demonstrations for %d solutions", len(critiques), len(rows))


def _question(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["dataset"], row["category"], row["question_id"]


def _references(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], list[str]]:
    """The steps of the first solution to each question in which every step and the answer are right.

    Only questions that have a reference answer can have one.
    """
    references: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["answer"] is not None and row["outcome"] == 1 and all(row["step_labels"] or [0]):
            references.setdefault(_question(row), row["steps"])
    return references


def _check_outcome(row: Mapping[str, Any], reference: Sequence[str] | None) -> tuple[str, int]:
    if reference is not None:
        given = row["parsed_answer"]
        found = "gives no answer" if given is None else f"says {given}"
        return f" {' '.join(reference)} The solution {found}.", row["outcome"]
    error = first_incorrect(row["step_labels"])
    text = "Every step is correct." if error is None else f"Step {error + 1} is incorrect."
    return f" {text}", row["outcome"]


def _check_steps(row: Mapping[str, Any], reference: Sequence[str] | None) -> tuple[str, list[int]]:
    error = first_incorrect(row["step_labels"])
    checked = len(row["steps"]) if error is None else error + 1
    verdicts = row["step_labels"][:checked]
    lines = []
    for k, verdict in enumerate(verdicts):
        word = "correct" if verdict else "incorrect"
        fact = f"{reference[k]} " if reference is not None and k < len(reference) else ""
        lines.append(f"\nStep {k + 1}: {fact}The step is \\boxed{{{word}}}")
    return "".join(lines), verdicts


def _critique(text: str, verdict: int, kind: Kind, surplus: str) -> dict[str, Any]:
    word = "Yes" if verdict else "No"
    return {
        "critique_id": 0,
        "critique": f"{text}\n{END_OF_THINKING}\n{surplus}{VERDICT_MARKS[kind]} {word}",
        "verdict": verdict,
        "step_verdicts": None,
        "n_tokens": None,
        "truncated": False,
        "kept": True,
        "reason": None,
    }


def _surplus(draw: float) -> str:
    """A sentence for the `_WORDY`th part of draws in [0, 1), else nothing."""
    place = int(draw * _WORDY * len(_SURPLUS))
    return f"{_SURPLUS[place]}\n" if place < len(_SURPLUS) else ""
