"""The options of a search."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from cyclopts import Parameter

from multirm.errors import InputError
from multirm.generation.options import GenerationOptions
from multirm.running.numbers import Count, Positive, PositiveOrZero
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Unit
from multirm.tables.searches import NodeValue, SearchMethod
from multirm.text.step_ends import StepEnd


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(GenerationOptions):
    """The options of the policy: those with which solutions are sampled."""

    max_tokens: Count = 2048
    temperature: PositiveOrZero = 0.8


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The method, and its settings.

    Attributes:
        method: how tokens are spent.
        candidates: N: solutions of best-of-N, candidates of each level of beams and REBASE, particles, and ended
            solutions after which MCTS ends.
        policy_tokens: tokens to draw for each question. A search that ends before begins again, and the last round is
            made as large as brings their number nearest to this one. By default, one search.
        beams: steps of each level from which beam searches go on; by default the square root of N.
        pruning: aggregation of the rewards so far into the score by which steps are kept, shared out, resampled or
            valued; always `last` if the reward model does not reward steps.
        final: aggregation of a solution's rewards into the one by which the answer is chosen; always `last` if the
            reward model does not reward steps.
        step_end: what ends a step.
        max_steps: steps of a solution, after which it is given up.
        max_step_tokens: tokens of a step, after which its solution is given up.
        rebase_temperature: of the softmax of REBASE.
        exploration: weight of the width of MCTS's confidence bounds, in the unit of rewards.
        children: steps that MCTS draws after one.
        simulations: simulations of MCTS that are under way at once.
        node_value: how MCTS values steps.
    """

    method: SearchMethod
    candidates: Count = 16
    policy_tokens: Count | None = None
    beams: Count | None = None
    pruning: Aggregation = Aggregation.LAST
    final: Aggregation = Aggregation.MIN
    step_end: StepEnd = StepEnd.BLANK_LINE
    max_steps: Count = 40
    max_step_tokens: Count = 512
    rebase_temperature: Positive = 0.2
    exploration: PositiveOrZero = 1.0
    children: Count = 4
    simulations: Count = 4
    node_value: NodeValue = NodeValue.ROLLOUT

    @property
    def n_beams(self) -> int:
        """The number of beams."""
        return self.beams or math.isqrt(self.candidates)

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance."""
        return {**asdict(self), "beams": self.n_beams}

    def suited_to(self, unit: Unit) -> Self:
        """The options as they apply to a reward model.

        If its rewards are not of steps, that of the steps so far is already the solution's, and it alone is known of a
        solution that was drawn in one go. So aggregations would mean something else in each method.

        Args:
            unit: of the reward model.
        """
        if unit is Unit.STEP:
            return self
        return replace(self, pruning=Aggregation.LAST, final=Aggregation.LAST)

    def check(self) -> None:
        """Refuse more beams than candidates.

        Raises:
            InputError: there are more.
        """
        if self.n_beams > self.candidates:
            raise InputError(
                "--beams",
                expected=f"no more than {self.candidates}, the number of candidates",
                found=str(self.n_beams),
            )
