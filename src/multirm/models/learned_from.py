"""Record the questions that a model was trained on, as digests in its folder, to warn of scoring them later.

Names of datasets and files are no evidence: questions are the same if their texts are, up to whitespace and case.
Digests keep private questions private, and the file small.
"""

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

from multirm.models.adapters import is_adapter
from multirm.models.folders import fetch_model
from multirm.models.load import base_of

FILE = "learned_questions.txt"
_LETTERS = 16

logger = logging.getLogger(__name__)


def write_learned(folder: Path, questions: Iterable[str], *models: str) -> None:
    """Write the questions that a model was trained on into its folder, with those of the models it is made from.

    Nothing is written without questions if it is made from other models and none of them has a record.
    """
    learned = {question_digest(question) for question in questions}
    told = [found for found in map(learned_by, models) if found is not None]
    if models and not told and not learned:
        return
    learned.update(*told)
    text = "".join(f"{each}\n" for each in sorted(learned))
    (folder / FILE).write_text(text, encoding="ascii")


def learned_by(model: str) -> set[str] | None:
    """Digests of the questions that a model and its base (for an adapter) were trained on; None without a record."""
    folder = fetch_model(model, weights=False)
    found = None
    if (folder / FILE).is_file():
        found = set((folder / FILE).read_text("ascii", errors="replace").split())
    below = learned_by(base_of(folder)) if is_adapter(folder) else None
    return found if below is None else below | (found or set())


def count_learned(name: str, model: str, questions: Iterable[str]) -> int | None:
    """How many of some questions a model was trained on, with a warning if any; None without a record.

    Args:
        name: name of the model, for the warning.
        model: folder or hub name.
        questions: the questions whose solutions it will score.
    """
    learned = learned_by(model)
    if learned is None:
        return None
    asked = {question_digest(question) for question in questions}
    n_learned = len(asked & learned)
    if n_learned:
        logger.warning(
            "%s was trained on %d of these %d questions: its rewards say little about new ones",
            name,
            n_learned,
            len(asked),
        )
    return n_learned


def question_digest(question: str) -> str:
    """A digest of a question's text, the same for texts that differ in whitespace and case only."""
    words = " ".join(question.split()).casefold()
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:_LETTERS]
