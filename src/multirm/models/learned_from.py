"""Which questions a model has learned from: digests of them in its folder, for whoever scores others with it.

The name of a data set does not tell, nor does that of a file: what counts is whether a question's text is the
same but for white space and capitals. Digests, because questions may be somebody's secret or many.
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
    """Put into a model's folder what it has learned from: questions, and those of models that it is made of.

    Nothing is written of a model made of others of which none tells.
    """
    learned = {_digest(question) for question in questions}
    told = [found for found in map(learned_by, models) if found is not None]
    if models and not told:
        return
    learned.update(*told)
    text = "".join(f"{each}\n" for each in sorted(learned))
    (folder / FILE).write_text(text, encoding="ascii")


def learned_by(model: str) -> set[str] | None:
    """Digests of the questions that a model and, for an adapter, its base have learned from; None if neither tells."""
    folder = fetch_model(model, weights=False)
    found = None
    if (folder / FILE).is_file():
        found = set((folder / FILE).read_text("ascii", errors="replace").split())
    below = learned_by(base_of(folder)) if is_adapter(folder) else None
    return found if below is None else below | (found or set())


def count_learned(name: str, model: str, questions: Iterable[str]) -> int | None:
    """How many different questions a model has learned from, with a warning if any; None if it does not tell.

    Args:
        name: the model's, for the warning.
        model: folder or hub name.
        questions: those that it is to score solutions to.
    """
    learned = learned_by(model)
    if learned is None:
        return None
    asked = {_digest(question) for question in questions}
    n_learned = len(asked & learned)
    if n_learned:
        logger.warning(
            "%s has learned from %d of these %d questions: its rewards say little of new ones",
            name,
            n_learned,
            len(asked),
        )
    return n_learned


def _digest(question: str) -> str:
    words = " ".join(question.split()).casefold()
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:_LETTERS]
