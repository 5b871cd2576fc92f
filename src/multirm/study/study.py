"""A study as frozen typed objects: datasets, backbones, reward models and evaluations that make up `all`."""

from functools import cached_property
from typing import Annotated

from pydantic import (
    Field,
)

from multirm.formats.sources import Reader
from multirm.running.numbers import (
    Positive,
    Seed,
)
from multirm.study.backbones import Backbone
from multirm.study.critiques import Critiques
from multirm.study.datasets import Dataset, DerivedDataset
from multirm.study.evaluation import Evaluation, Figures
from multirm.study.reward_models import RewardModel
from multirm.study.runs import Run, runs_of
from multirm.study.settings import Categories, EachOnce, Name, Settings, Text
from multirm.tables.accuracy import DEFAULT_AGGREGATION, Aggregation
from multirm.tables.reward_models import Kind

# In these sections, a key of the box says what other keys it may have.
VARIANTS = {"datasets": ("reader", ("miniature", *Reader)), "models": ("kind", tuple(Kind))}


class Templates(Settings):
    """Prompt template files for generative models, where not the package's own."""

    gORM: Text | None = None  # noqa: N815
    gPRM: Text | None = None  # noqa: N815


class Study(Settings):
    """Everything that `snakemake all` makes."""

    study: Name
    seed: Seed = 42
    training_seeds: Annotated[list[Seed], EachOnce] | None = Field(
        None,
        min_length=1,
        description="every reward model is trained once with each; with the study's where null",
    )
    gpu_memory: Positive = Field(
        80, description="GB on each GPU of the site, by which jobs are given GPUs"
    )
    data: Text = Field(".", description="the folder that dataset sources are relative to")
    categories: Categories = Field(description="in the order of the figures' panels")
    datasets: dict[Name, Dataset]
    backbones: dict[Name, Backbone]
    templates: Templates = Templates()
    critiques: Critiques | None = None
    models: dict[Name, RewardModel]
    evaluation: Evaluation
    figures: Figures = Figures()

    @cached_property
    def runs(self) -> dict[str, Run]:
        """All training runs, and the models whose rewards are published, by their names."""
        seeds = self.training_seeds or [self.seed]
        runs = [run for name, model in self.models.items() for run in runs_of(name, model, seeds)]
        return {run.name: run for run in runs}

    def categories_of(self, dataset: str) -> list[str]:
        """The categories of a dataset: its own, those of the dataset that it is made of, or the study's."""
        settings = self.datasets[dataset]
        if settings.categories:
            return settings.categories
        if isinstance(settings, DerivedDataset):
            return self.categories_of(settings.from_)
        return self.categories

    def origins_of(self, dataset: str) -> list[str]:
        """A dataset and those that it is made of, back to the one that is made of no other."""
        chain = [dataset]
        while isinstance(settings := self.datasets[chain[-1]], DerivedDataset):
            chain.append(settings.from_)
        return chain

    @cached_property
    def aggregations(self) -> dict[str, list[Aggregation]]:
        """The aggregations that each run is evaluated with: what the study says, or its kind's default."""
        said = self.evaluation.aggregation
        return {
            run.name: said.get(run.model, [DEFAULT_AGGREGATION[run.kind]])
            for run in self.runs.values()
        }

    @property
    def taught(self) -> Critiques:
        """The critiques that generative reward models learn from.

        Raises:
            LookupError: the study has none.
        """
        if self.critiques is None:
            raise LookupError("the study has no critiques")
        return self.critiques
