"""Wrong steps for solutions to the miniature's questions, by the type of error that they show."""

from collections.abc import Iterator
from dataclasses import dataclass

from multirm.data.miniature.chains import Chain, Link, walk
from multirm.data.miniature.questions import LETTERS, Question
from multirm.tables.augmentations import ErrorType


@dataclass(frozen=True)
class Mistake:
    """A wrong step in place of a correct one.

    Attributes:
        step: the place of the step in its solution.
    """

    step: int
    error_type: ErrorType
    text: str


def mistakes(question: Question, steps: list[str], other: Question) -> list[Mistake]:
    """The mistakes that a correct solution could have; each is a bad step to `check_steps`.

    Args:
        other: another question of the category. Its sentences do not follow here, or misread this question.
    """
    true = walk(question.chain)
    elsewhere = walk(other.chain).sentences
    found = []
    for place, step in enumerate(steps):
        if step in true.sentences:
            position = true.sentences.index(step)
            wrong = [
                *_slips(question.chain, position),
                *_foreign(question.chain.links[position], elsewhere[position : position + 1]),
            ]
        else:
            wrong = list(_wrong_answers(question, step))
        found += [
            Mistake(place, error_type, text)
            for error_type, text in wrong
            if text not in true.sentences
        ]
    return found


def _slips(chain: Chain, position: int) -> Iterator[tuple[ErrorType, str]]:
    """A wrong value, or a value that is right for a wrong input."""
    link, values = chain.links[position], walk(chain).values
    inputs = [values[place] for place in link.inputs]
    own = ErrorType.CALCULATION if link.worked_out else ErrorType.FACTUAL
    for value in link.slips(*inputs):
        yield own, link.tell(*inputs, value)
    own = ErrorType.WRONG_EQUATION if link.worked_out else ErrorType.CONFLICTING_STEPS
    for place, source in enumerate(link.inputs):
        before = chain.links[source]
        for value in before.slips(*(values[each] for each in before.inputs)):
            changed = [*inputs[:place], value, *inputs[place + 1 :]]
            try:
                yield own, link.tell(*changed, link.compute(*changed))
            except LookupError:
                continue


def _foreign(link: Link, sentences: list[str]) -> Iterator[tuple[ErrorType, str]]:
    own = ErrorType.NON_SEQUITUR if link.inputs else ErrorType.CONTEXTUAL
    for sentence in sentences:
        yield own, sentence


def _wrong_answers(question: Question, step: str) -> Iterator[tuple[ErrorType, str]]:
    """Instead of the right letter or text, that of another option, or a guess as if no option fitted."""
    right = LETTERS.index(question.answer)
    letters = [f"({letter})" for letter in LETTERS]
    for answers in (letters, question.options):
        if step == f"The answer is {answers[right]}.":
            for answer in (*answers[:right], *answers[right + 1 :]):
                yield ErrorType.CONTEXTUAL, f"The answer is {answer}."
                guess = f"No option fits. I guess the answer is {answer}."
                yield ErrorType.FALSE_ASSUMPTION, guess
