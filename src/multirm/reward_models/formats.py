"""Formats of discriminative reward models: the layout of their text, and how rewards are computed."""

from dataclasses import dataclass

from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import Scale, Unit
from multirm.text.encoding import MULTI_RM_LAYOUT, STEP_TOKENS, SolutionLayout


@dataclass(frozen=True)
class Format:
    """A softmax over two tokens at the last token of each step.

    Attributes:
        name: as in the reward_models table.
        layout: how question and steps become one text.
        tokens: the texts of the two tokens, for incorrect and for correct.
        unit: what a reward refers to.
        scale: a probability or an unbounded score.
    """

    name: FormatName
    layout: SolutionLayout
    tokens: tuple[str, str]
    unit: Unit
    scale: Scale


MULTI_RM = Format(FormatName.MULTI_RM, MULTI_RM_LAYOUT, STEP_TOKENS, Unit.STEP, Scale.PROBABILITY)
"""The format of dORM and dPRM (Multi-RM, arXiv 2510.00492). A dORM was trained only on the last step's reward."""
