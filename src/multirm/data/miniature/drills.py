"""Drills: lists of true and false statements of facts, used only to pretrain the backbone.

In a solution, a wrong value is carried forward, and most steps add little. In a drill, each step is a separate
fact, labelled true or false, so that facts are learned from few tokens.
"""

from dataclasses import dataclass

import numpy as np

from multirm.data.miniature.chains import walk
from multirm.data.miniature.questions import CATEGORIES, check_category

DRILL_QUESTION = "Which of these statements are true?"
_STATEMENTS = 10
_WRONG = 0.4


@dataclass(frozen=True)
class Drill:
    """Statements, and for each whether it is true (1) or false (0)."""

    statements: list[str]
    labels: list[int]


def draw_drill(category: str, rng: np.random.Generator) -> Drill:
    """Statements, each from a new chain of `category`; four in ten are false on average."""
    check_category(category)
    statements: list[str] = []
    labels: list[int] = []
    while len(statements) < _STATEMENTS:
        chain = CATEGORIES[category](rng)
        values = walk(chain).values
        # Calculations have more cases than look-ups, so they are drawn twice as often.
        positions = [k for k, link in enumerate(chain.links) for _ in range(1 + link.worked_out)]
        position = positions[int(rng.integers(len(positions)))]
        link = chain.links[position]
        inputs = [values[i] for i in link.inputs]
        slips = link.slips(*inputs)
        if not slips:
            continue
        wrong = rng.random() < _WRONG
        value = slips[int(rng.integers(len(slips)))] if wrong else values[position]
        statements.append(link.tell(*inputs, value))
        labels.append(int(not wrong))
    return Drill(statements, labels)
