"""The training runs of a study: each reward model once with every training seed, under a name of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from multirm.study.reward_models import (
    DiscriminativeModel,
    DiscriminativeScoring,
    GenerativeModel,
    GenerativeScoring,
    PublishedModel,
    RewardModel,
)
from multirm.tables.reward_models import Kind, run_name


@dataclass(frozen=True)
class Run:
    """A reward model as it stands in tables and paths: a training run of it, or published rewards.

    Attributes:
        name: unique in the study; the model's own for its first seed.
        model: the name that the study's file gives it.
        settings: what the study's file says of it.
        seed: of the training run; None where nothing is trained.
    """

    name: str
    model: str
    settings: RewardModel
    seed: int | None

    @property
    def kind(self) -> Kind:
        return self.settings.kind

    @property
    def trained(self) -> DiscriminativeModel | GenerativeModel:
        """The settings of a reward model that is trained here.

        Raises:
            TypeError: its rewards are published.
        """
        if isinstance(self.settings, PublishedModel):
            raise TypeError(f"{self.name} is not trained here: its rewards are published")
        return self.settings

    @property
    def scoring(self) -> DiscriminativeScoring | GenerativeScoring:
        """How a reward model that is trained here scores.

        Raises:
            TypeError: its rewards are published.
        """
        return self.trained.scoring

    @property
    def is_published(self) -> bool:
        return isinstance(self.settings, PublishedModel)


def runs_of(name: str, model: RewardModel, seeds: Sequence[int]) -> list[Run]:
    """The training runs of a reward model, one for each seed, or the one run that published rewards are."""
    if isinstance(model, PublishedModel):
        return [Run(name, name, model, None)]
    first, *others = seeds
    return [
        Run(name, name, model, first),
        *(Run(run_name(name, seed), name, model, seed) for seed in others),
    ]
