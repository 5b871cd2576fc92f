"""A study's searches: a policy and a reward model that answer questions together."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from multirm.engines.name import EngineName
from multirm.models.dtype import Dtype
from multirm.running.numbers import Count, Positive, PositiveOrZero
from multirm.study.labelling import AfterExamples
from multirm.study.settings import Name
from multirm.tables.accuracy import Aggregation
from multirm.tables.searches import NodeValue, SearchMethod
from multirm.text.step_ends import StepEnd

_OF_METHODS = {
    "beams": (SearchMethod.BEAM_SEARCH, SearchMethod.DIVERSE_BEAM_SEARCH),
    "rebase_temperature": (SearchMethod.REBASE,),
    "exploration": (SearchMethod.MCTS,),
    "children": (SearchMethod.MCTS,),
    "simulations": (SearchMethod.MCTS,),
    "node_value": (SearchMethod.MCTS,),
}
"""Settings that some methods alone have."""


class SearchRun(AfterExamples):
    """A search for answers to bare questions; the defaults are those of `multirm search`."""

    unable: ClassVar[Mapping[EngineName, str]] = dict.fromkeys(
        (EngineName.OPENAI, EngineName.OPENAI_BATCH, EngineName.BEDROCK_BATCH),
        "does not go on from the tokens of a step; use transformers or vllm",
    )

    questions: Name = Field(description="one of the study's `questions`")
    model: Name = Field(description="the reward model, one of the study's: dORM, dPRM or pairwise")
    method: SearchMethod = Field(description="how the tree of steps grows")
    candidates: Count = Field(16, description="solutions, or candidates of each level (N)")
    policy_tokens: Count | None = Field(
        None, description="tokens that the policy draws for each question; null for one search"
    )
    beams: Count | None = Field(None, description="by default, the square root of `candidates`")
    pruning: Aggregation = Field(
        Aggregation.LAST, description="of the rewards so far, to decide which steps go on"
    )
    final: Aggregation | None = Field(
        None, description="of a solution's rewards, to choose the answer; by default, its kind's"
    )
    step_end: StepEnd = Field(StepEnd.BLANK_LINE, description="where a step ends")
    max_steps: Count = Field(40, description="the most steps of a solution")
    max_step_tokens: Count = Field(512, description="the most tokens of a step")
    rebase_temperature: Positive = Field(
        0.2,
        description="temperature of the softmax over rewards, by which REBASE distributes candidates",
    )
    exploration: PositiveOrZero = Field(1.0, description="the weight of unvisited nodes in MCTS")
    children: Count = Field(4, description="children of a node in MCTS")
    simulations: Count = Field(4, description="simulations of MCTS for each step of the answer")
    node_value: NodeValue = Field(NodeValue.ROLLOUT, description="what a new node of MCTS is worth")
    temperature: PositiveOrZero = Field(0.8, description="of sampling; 0 takes the likeliest token")
    max_tokens: Count = Field(2048, description="the most tokens of a solution")
    dtype: Dtype = Field(Dtype.AUTO, description="precision of the reward model")

    @model_validator(mode="after")
    def _suits_its_method(self) -> Self:
        for name, methods in _OF_METHODS.items():
            if name in self.model_fields_set and self.method not in methods:
                raise ValueError(f"{name}: belongs to {' and '.join(methods)}; leave it out")
        if self.beams and self.beams > self.candidates:
            raise ValueError(f"beams: {self.beams} are more than the {self.candidates} candidates")
        return self
