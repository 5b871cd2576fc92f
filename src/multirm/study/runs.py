"""A study's training runs: each reward model once per training seed, each run with its own name.

A model that was trained elsewhere is a single run without a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multirm.study.reward_models import (
    DiscriminativeModel,
    DiscriminativeScoring,
    ExternalModel,
    GenerativeModel,
    GenerativeScoring,
    PairwiseModel,
    ReadyModel,
    RewardModel,
    TrainedModel,
)
from multirm.tables.reward_models import Kind, run_name


@dataclass(frozen=True)
class Run:
    """A reward model as named in tables and paths: a training run, or a model or rewards from elsewhere.

    Attributes:
        name: unique in the study; for the first seed, the model's own.
        model: the model's name in the study's file.
        settings: the model's settings in the study's file.
        seed: of the training run; None for models that are not trained here.
    """

    name: str
    model: str
    settings: RewardModel
    seed: int | None

    @property
    def kind(self) -> Kind:
        return self.settings.kind

    @property
    def trained(self) -> DiscriminativeModel | PairwiseModel | GenerativeModel:
        """The settings of a reward model that is trained here.

        Raises:
            TypeError: it was trained elsewhere.
        """
        if isinstance(self.settings, ExternalModel | ReadyModel):
            raise TypeError(f"{self.name} is not trained here")
        return self.settings

    @property
    def backbone(self) -> str | None:
        """The study's backbone that it is trained from, or that it is; None for models and rewards from elsewhere."""
        return None if isinstance(self.settings, ExternalModel) else self.settings.backbone

    @property
    def scoring(self) -> DiscriminativeScoring | GenerativeScoring:
        """The scoring settings of a reward model that scores here.

        Raises:
            TypeError: its rewards are external.
        """
        if isinstance(self.settings, ExternalModel):
            raise TypeError(f"{self.name} does not score here: its rewards are external")
        return self.settings.scoring

    @property
    def is_trained(self) -> bool:
        """Whether it is trained here."""
        return isinstance(self.settings, TrainedModel)

    @property
    def is_external(self) -> bool:
        """Whether its rewards are read, so that it neither trains nor scores here."""
        return isinstance(self.settings, ExternalModel)


def runs_of(name: str, model: RewardModel, seeds: Sequence[int]) -> list[Run]:
    """The training runs of a reward model, one per seed; a single run without a seed if it is not trained here."""
    if not isinstance(model, TrainedModel):
        return [Run(name, name, model, None)]
    first, *others = seeds
    return [
        Run(name, name, model, first),
        *(Run(run_name(name, seed), name, model, seed) for seed in others),
    ]
