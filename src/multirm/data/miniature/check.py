"""Entry point `check_steps`: label steps of the miniature's solutions by the facts, whoever wrote them."""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from multirm.data.miniature.chains import Link, walk
from multirm.data.miniature.questions import CATEGORIES, LETTERS, Question, draw_questions
from multirm.data.miniature.wording import as_told
from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows
from multirm.tables.questions import Split
from multirm.tables.solutions import SOLUTIONS_IF_ANY
from multirm.text.labels import format_question

logger = logging.getLogger(__name__)

_ID = re.compile(rf"({'|'.join(Split)})-(\d+)")
_SECOND_THOUGHT = re.compile(r"No, wait\.\s+")
_ANSWER = re.compile(r"(?:No option fits\. I guess the|The) answer is (.+)\.")
_NO_ANSWER = "No option fits."

# Enough chains for all forms of a category, each with each of its keys.
_CHAINS = 2000


@entry
def check_steps(solutions: Path, output: OutputFile, seed: Seed = 42) -> None:
    """Label each step of solutions to the miniature's questions by the facts that these are about.

    A step is good if it is a sentence of the question's own chain of look-ups, with true values, in either wording.
    The step that gives the answer is good if it is right, and its value was found before.
    Other sentences in a form of the category's chains are bad: they are false, or beside the question. Sentences in no
    such form have no label.

    Args:
        solutions: solutions to the miniature's questions, with the ids that `generate-miniature` gives them.
        output: labels table.
        seed: seed of the study that the questions are from.

    Raises:
        InputError: a question is not the miniature's, or has another seed.
    """
    rows = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    questions = questions_of(solutions, rows, seed)
    labels, n_known = [], 0
    for row in rows:
        found = check(row["category"], questions[row["category"], row["question_id"]], row["steps"])
        n_known += sum(label is not None for label in found)
        columns = [
            {"label": label, "reason": LabelReason.UNKNOWN_FORM if label is None else None}
            for label in found
        ]
        labels += label_rows(row, LabelSource.KNOWN, columns)
    parquet.write(output, LABELS, labels, origin_of(__name__, {"seed": seed}, [solutions]))
    logger.info("checked %d of %d steps of %d solutions", n_known, len(labels), len(rows))


def check(category: str, question: Question, steps: list[str]) -> list[int | None]:
    """Whether each step is good (1) or bad (0); None if its form is unknown.

    After a bad step, a sentence that follows from it may be true by coincidence, and then counts as good.
    """
    true = walk(question.chain).sentences
    form, last = _forms(category), _form(question.chain.links[-1])
    labels: list[int | None] = []
    found_value = False
    for step in steps:
        sentence = as_told(_SECOND_THOUGHT.sub("", step.strip(), count=1))
        answer = _ANSWER.fullmatch(sentence)
        if answer or sentence == _NO_ANSWER:
            right = answer is not None and answer[1] in _right_answers(question)
            labels.append(int(right and found_value))
        elif sentence in true:
            found_value = found_value or sentence == true[-1]
            labels.append(1)
        elif form.fullmatch(sentence):
            found_value = found_value and not last.fullmatch(sentence)
            labels.append(0)
        else:
            labels.append(None)
    return labels


def _right_answers(question: Question) -> tuple[str, str]:
    """The right answer to a question, as a letter and as a text."""
    return f"({question.answer})", question.options[LETTERS.index(question.answer)]


@cache
def _forms(category: str) -> re.Pattern[str]:
    """A pattern for the sentences of a category's chains, with any inputs and any value."""
    generator = item_generator(0, "forms", category)
    chains = (CATEGORIES[category](generator) for _ in range(_CHAINS))
    forms = {_form(link).pattern for chain in chains for link in chain.links}
    return re.compile("|".join(sorted(forms)))


def _form(link: Link) -> re.Pattern[str]:
    blank = "\0"
    sentence = link.tell(*[blank] * len(link.inputs), blank)
    return re.compile(re.escape(sentence).replace(re.escape(blank), "(?:.+)"))


def questions_of(
    path: Path, rows: Sequence[Mapping[str, Any]], seed: int
) -> dict[tuple[str, str], Question]:
    """The miniature's question of each row, by category and id.

    Args:
        path: the table of the rows, for messages.

    Raises:
        InputError: a question is not the miniature's, or has another seed.
    """
    asked = {(row["category"], row["question_id"]): row["question"] for row in rows}
    wanted: dict[tuple[str, Split], dict[int, str]] = {}
    for category, name in asked:
        found = _ID.fullmatch(name)
        if not found:
            raise InputError(path, expected="ids such as train-0007", found=shown(name))
        wanted.setdefault((category, Split(found[1])), {})[int(found[2])] = name
    known = {}
    for (category, split), names in wanted.items():
        drawn = draw_questions(category, split, max(names) + 1, seed)
        for index, name in names.items():
            question = drawn[index]
            text = asked[category, name]
            stem = question.chain.stem
            if text not in (stem, format_question(stem, question.options)):
                raise InputError(
                    path,
                    expected=f"the miniature's question {name} of {category}, with the seed {seed}",
                    found=shown(text),
                )
            known[category, name] = question
    return known
