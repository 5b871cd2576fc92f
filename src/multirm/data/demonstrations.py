"""Entry point `demonstrate`: write critiques from known step labels, to teach a model the formats."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative
from multirm.tables.critiques import CRITIQUES, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import first_incorrect
from multirm.text.prompts import END_OF_THINKING, VERDICT_MARKS

logger = logging.getLogger(__name__)

# One critique in this many has a superfluous sentence after the end of thinking.
_WORDY = 4
_SURPLUS = (
    "So the check of this solution is complete.",
    "With that, all that matters has been looked at.",
    "This settles the matter.",
)


@entry
def demonstrate(solutions: Path, kind: Kind, output: OutputFile, seed: Seed) -> None:
    """Write a critique of each labelled solution, in the format of a generative reward model.

    Args:
        solutions: solutions table with step labels.
        kind: gORM or gPRM.
        output: critiques table, at the stage `generated`; solutions without step labels or outcome get no row.
        seed: seed of the study.
    """
    require_generative(kind)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    critiques = []
    for row in rows:
        if row["step_labels"] is None or row["outcome"] is None:
            continue
        key = {name: row[name] for name in SOLUTIONS.key}
        surplus = _surplus(item_generator(seed, "demonstration", kind, *key.values()).random())
        if kind is Kind.GORM:
            critiques.append({**key, **_critique(*_check_outcome(row), kind, surplus)})
        else:
            text, verdicts = _check_steps(row)
            critique = _critique(text, int(all(verdicts)), kind, surplus)
            critiques.append({**key, **critique, "step_verdicts": verdicts})
    parameters = {"kind": kind, "stage": CritiqueStage.GENERATED, "seed": seed}
    origin = origin_of(__name__, parameters, [solutions])
    parquet.write(output, CRITIQUES, critiques, origin)
    logger.info("%d demonstrations for %d solutions", len(critiques), len(rows))
    if unlabelled := len(rows) - len(critiques):
        logger.warning("%d solutions have no outcome or no step labels to say", unlabelled)


def _check_outcome(row: Mapping[str, Any]) -> tuple[str, int]:
    text = "Every step is correct." if all(row["step_labels"]) else "A step is incorrect."
    return f" {text}", row["outcome"]


def _check_steps(row: Mapping[str, Any]) -> tuple[str, list[int]]:
    labels = row["step_labels"]
    error = first_incorrect(labels)
    verdicts = labels if error is None else labels[: error + 1]
    words = ("incorrect", "correct")
    lines = [
        f"\nStep {number}: The step is \\boxed{{{words[verdict]}}}"
        for number, verdict in enumerate(verdicts, start=1)
    ]
    return "".join(lines), verdicts


def _critique(text: str, verdict: int, kind: Kind, surplus: str) -> dict[str, Any]:
    word = "Yes" if verdict else "No"
    return {
        "critique_id": 0,
        "critique": f"{text}\n{END_OF_THINKING}\n{surplus}{VERDICT_MARKS[kind]} {word}",
        "verdict": verdict,
        "step_verdicts": None,
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "truncated": False,
        "kept": True,
        "reason": None,
    }


def _surplus(draw: float) -> str:
    """A sentence for one in `_WORDY` draws in [0, 1), else nothing."""
    place = int(draw * _WORDY * len(_SURPLUS))
    return f"{_SURPLUS[place]}\n" if place < len(_SURPLUS) else ""
