"""The miniature's questions: chains with ten options; splits share no questions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from multirm.data.miniature.business import draw_business
from multirm.data.miniature.chains import Chain, harmful_slips, walk
from multirm.data.miniature.chemistry import draw_chemistry
from multirm.data.miniature.computer_science import draw_computer_science
from multirm.data.miniature.history import draw_history
from multirm.errors import InputError, shown
from multirm.running.randomness import item_generator, item_seed
from multirm.tables.questions import Split
from multirm.text.labels import format_question

CATEGORIES: dict[str, Callable[[np.random.Generator], Chain]] = {
    "business": draw_business,
    "chemistry": draw_chemistry,
    "computer_science": draw_computer_science,
    "history": draw_history,
}
LETTERS = "ABCDEFGHIJ"


# Which tenths of all possible questions each split draws from.
_SHARES = {Split.PRETRAIN: range(4), Split.TRAIN: range(4, 7), Split.TEST: range(7, 10)}


@dataclass(frozen=True)
class Question:
    """A chain with options.

    Attributes:
        options: ten distinct answers, one for each of `LETTERS`.
        answer: the letter of the right one.
        difficulty: in [0, 1), uniform over questions.
        misconception: the link at which many solutions make the same error, and its wrong value.
    """

    chain: Chain
    options: list[str]
    answer: str
    difficulty: float
    misconception: tuple[int, str]


def draw_questions(category: str, split: Split, count: int, seed: int) -> list[Question]:
    """Draw the first `count` questions of a split; a smaller count gives a prefix.

    Raises:
        InputError: there is no such category, or it has fewer different questions.
    """
    check_category(category)
    stems: set[str] = set()
    questions = []
    for index in range(count):
        for rng, chain in _candidates(category, split, index, seed):
            if chain.stem not in stems:
                stems.add(chain.stem)
                questions.append(_with_options(chain, rng))
                break
        else:
            raise InputError(
                "miniature",
                expected=f"{count} different questions in {category}, split {split}",
                found=f"no more after {index}",
                remedy="ask for fewer",
            )
    return questions


def question_row(
    dataset: str, category: str, split: Split, index: int, question: Question
) -> dict[str, Any]:
    """The row of the questions table for the question that is drawn as number `index` of a split."""
    return {
        "dataset": dataset,
        "category": category,
        "question_id": f"{split}-{index:04}",
        "question": format_question(question.chain.stem, question.options),
        "answer": question.answer,
        "options": question.options,
    }


def check_category(category: str) -> None:
    """Refuse a category that has no facts."""
    if category not in CATEGORIES:
        raise InputError(
            "miniature",
            expected=f"a category among {', '.join(CATEGORIES)}",
            found=shown(category),
        )


def _candidates(
    category: str, split: Split, index: int, seed: int, tries: int = 1000
) -> Iterator[tuple[np.random.Generator, Chain]]:
    """Draw chains that belong to the split, which their text alone decides."""
    rng = item_generator(seed, "question", category, split, index)
    for _ in range(tries):
        chain = CATEGORIES[category](rng)
        if item_seed(seed, "split", category, chain.stem) % 10 in _SHARES[split]:
            yield rng, chain


def _with_options(chain: Chain, rng: np.random.Generator) -> Question:
    """Add options: the right one, the misconception's answer, then other slips' answers, then fillers."""
    right = walk(chain).values[-1]
    slips = harmful_slips(chain)
    position, value, end = slips[int(rng.integers(len(slips)))]
    ends = [slips[i][2] for i in rng.permutation(len(slips))]
    fillers = [chain.fillers[i] for i in rng.permutation(len(chain.fillers))]
    options = list(dict.fromkeys([right, end, *ends, *fillers]))[: len(LETTERS)]
    options = [options[i] for i in rng.permutation(len(options))]
    return Question(
        chain, options, LETTERS[options.index(right)], float(rng.random()), (position, value)
    )
