"""Simulated policies, with known rates and kinds of errors."""

from dataclasses import dataclass

import numpy as np

from multirm.data.miniature.chains import Chain, Walk, harmful_slips, walk
from multirm.data.miniature.questions import LETTERS, Question
from multirm.tables.solutions import Policy


@dataclass(frozen=True)
class Skill:
    """A policy's error rates; all are probabilities, except `hard`.

    Attributes:
        hard: the fraction of questions, the most difficult ones, that count as hard.
        belief: the misconception appears in a solution to a hard question.
        doubt: the misconception appears in a solution to another question.
        slip: another, randomly chosen step goes wrong.
        misread: a random letter is given instead of that of the value found.
        recovery: a wrong step is noticed and corrected.
        blank: a solution whose value fits no option gives no answer, instead of a guess.
    """

    hard: float
    belief: float
    doubt: float
    slip: float
    misread: float
    recovery: float
    blank: float


SKILLS = {
    Policy.JUNIOR: Skill(0.5, 0.66, 0.12, 0.4, 0.02, 0.12, 0.3),
    Policy.SENIOR: Skill(0.3, 0.6, 0.06, 0.2, 0.01, 0.15, 0.3),
}


@dataclass(frozen=True)
class Solution:
    """What a policy wrote, with the true label of each step (1 correct, 0 incorrect)."""

    steps: list[str]
    step_labels: list[int]
    parsed_answer: str | None


def solve(question: Question, policy: Policy, rng: np.random.Generator) -> Solution:
    """One solution of `policy` to `question`."""
    skill = SKILLS[policy]
    slips = _draw_slips(question, skill, rng)
    if slips and rng.random() < skill.recovery:
        return _recovered(question, min(slips), slips[min(slips)], rng)
    walked = walk(question.chain, slips)
    return _concluded(question, walked, skill, rng)


def _draw_slips(question: Question, skill: Skill, rng: np.random.Generator) -> dict[int, str]:
    """The wrong values of one solution, by link; the chain can be walked to its end with them.

    Each of them alone leads to a wrong answer: only recoveries lead from wrong steps to right answers, so that
    their rate is known.
    """
    hard = question.difficulty >= 1 - skill.hard
    slips = {}
    if rng.random() < (skill.belief if hard else skill.doubt):
        position, value = question.misconception
        slips[position] = value
    if rng.random() < skill.slip:
        harmful = harmful_slips(question.chain)
        positions = sorted({position for position, _, _ in harmful})
        position = positions[int(rng.integers(len(positions)))]
        values = [value for place, value, _ in harmful if place == position]
        both = {position: values[int(rng.integers(len(values)))], **slips}
        if _can_be_carried(question.chain, both):
            return both
    return slips


def _can_be_carried(chain: Chain, slips: dict[int, str]) -> bool:
    try:
        walk(chain, slips)
    except LookupError:
        return False
    return True


def _recovered(question: Question, position: int, value: str, rng: np.random.Generator) -> Solution:
    """A wrong step, possibly one more that follows from it, then its correction and the right answer."""
    wrong = walk(question.chain, {position: value})
    right = walk(question.chain)
    noticed = min(position + 1 + int(rng.random() < 0.4), len(right.values))
    steps = [
        *wrong.sentences[:noticed],
        f"No, wait. {right.sentences[position]}",
        *right.sentences[position + 1 :],
        _naming(question.answer),
    ]
    labels = [*wrong.labels[:noticed], *[1] * (len(steps) - noticed)]
    return Solution(steps, labels, question.answer)


def _concluded(
    question: Question, walked: Walk, skill: Skill, rng: np.random.Generator
) -> Solution:
    """The walk's sentences, and a last step that gives a letter, if one fits or is guessed."""
    value = walked.values[-1]
    if value in question.options:
        letter: str | None = LETTERS[question.options.index(value)]
        if rng.random() < skill.misread:
            letter = LETTERS[int(rng.integers(len(LETTERS)))]
        last = _naming(str(letter))
    elif rng.random() < skill.blank:
        letter, last = None, "No option fits."
    else:
        letter = LETTERS[int(rng.integers(len(LETTERS)))]
        last = f"No option fits. I guess the answer is ({letter})."
    right = letter == question.answer and walked.labels[-1] == 1
    return Solution([*walked.sentences, last], [*walked.labels, int(right)], letter)


def _naming(letter: str) -> str:
    return f"The answer is ({letter})."
