"""How discriminative reward models are fed and read: one record for each way."""

from dataclasses import dataclass

from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import Scale, Unit
from multirm.text.encoding import MULTI_RM_LAYOUT, STEP_TOKENS, SolutionLayout


@dataclass(frozen=True)
class Format:
    """How a discriminative reward model is asked: a softmax over two tokens at the last token of each step.

    Attributes:
        name: as in the reward_models table.
        layout: how question and steps become one text.
        tokens: the words whose logits are compared, each a single token: for incorrect and for correct.
        unit: what one reward is about.
        scale: what the number is.
    """

    name: FormatName
    layout: SolutionLayout
    tokens: tuple[str, str]
    unit: Unit
    scale: Scale


MULTI_RM = Format(FormatName.MULTI_RM, MULTI_RM_LAYOUT, STEP_TOKENS, Unit.STEP, Scale.PROBABILITY)
"""That of dORM and dPRM (Multi-RM, arXiv 2510.00492). A dORM has learned the last step's reward alone."""
