"""Drills: single statements of facts, right and wrong ones mixed, which only a backbone learns from.

In a solution a wrong value is carried forward, and most steps say little that is new. In a drill every
step is a fact of its own and its label says whether it is true, so that facts are learned in few words.
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
    """Statements, and for each whether it is true (1) or not (0)."""

    statements: list[str]
    labels: list[int]


def draw_drill(category: str, rng: np.random.Generator) -> Drill:
    """Statements from as many chains of `category`, with four wrong ones in ten on average."""
    check_category(category)
    statements: list[str] = []
    labels: list[int] = []
    while len(statements) < _STATEMENTS:
        chain = CATEGORIES[category](rng)
        values = walk(chain).values
        # What has to be worked out has more cases than what can be looked up.
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
