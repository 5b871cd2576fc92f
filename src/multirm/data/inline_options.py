"""Options that a source has inside the text of its questions, as VersaPRM's data has.

There, `question` is the text that models read: `Question: …`, then a line per option, `A. …`. Solutions keep it, so
that the options are listed once, but without the leading word: then the same question has the same text whichever
reader it comes from, as `text.labels.format_question` writes it.
"""

import re
from collections.abc import Sequence

from multirm.tables.questions import MOST_OPTIONS, option_letters
from multirm.text.labels import format_question

_PREFIX = re.compile(r"(?:\s*Question:\s+)+")


def without_prefix(text: str) -> str:
    """The text without a leading `Question: `, also if it is repeated, and without surrounding whitespace."""
    return _PREFIX.sub("", text, count=1).strip() if _PREFIX.match(text) else text.strip()


def with_options(question: str, options: Sequence[str] | None) -> str:
    """The text of a question with its options, which are added unless they are its last lines already."""
    text = without_prefix(question)
    if not options:
        return text
    listed = _words(text).endswith(_words(format_question("", options)))
    return text if listed else format_question(text, options)


def split_options(text: str) -> tuple[str, list[str] | None]:
    """Split the text of a question at its last list of options; None if it does not end in one.

    Only what `format_question` puts together again, up to whitespace, is split, so nothing is lost. An option may
    go over several lines.
    """
    lines = text.split("\n")
    first = _first_of_last_list(lines)
    if first is None:
        return text, None
    question = "\n".join(lines[:first]).rstrip()
    options: list[list[str]] = []
    letters = option_letters(MOST_OPTIONS)
    for line in lines[first:]:
        mark = f"{letters[len(options)]}. " if len(options) < MOST_OPTIONS else None
        if mark and line.startswith(mark):
            options.append([line.removeprefix(mark)])
        else:
            options[-1].append(line)
    split = ["\n".join(of_option) for of_option in options]
    again = format_question(question, split)
    return (question, split) if question and _words(again) == _words(text) else (text, None)


def _first_of_last_list(lines: Sequence[str]) -> int | None:
    """The place of the last option A that an option B comes after."""
    second = next((k for k in reversed(range(len(lines))) if lines[k].startswith("B. ")), 0)
    return next((k for k in reversed(range(second)) if lines[k].startswith("A. ")), None)


def _words(text: str) -> str:
    """The text without differences in whitespace; it starts with a space, so that it ends in whole words."""
    return " ".join(["", *text.split()])
