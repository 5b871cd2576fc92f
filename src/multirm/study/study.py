"""A study as frozen typed objects: the datasets, backbones, reward models and evaluations of `all`."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from multirm.formats.sources import Reader
from multirm.models.training_method import Method, Targets
from multirm.running.numbers import (
    Positive,
    Seed,
)
from multirm.study.backbones import Backbone
from multirm.study.critiques import Critiques
from multirm.study.datasets import Dataset, DerivedDataset, ReadDataset, SampledDataset
from multirm.study.evaluation import Evaluation, Figures
from multirm.study.questions import Questions, ReadQuestions
from multirm.study.results_folder import DEFAULT, a_folder_below
from multirm.study.reward_models import (
    DiscriminativeModel,
    GenerativeModel,
    PairwiseModel,
    ReadyDiscriminativeModel,
    ReadyModel,
    RewardModel,
)
from multirm.study.runs import Run, runs_of
from multirm.study.sampling import Sampling
from multirm.study.searches import SearchRun
from multirm.study.settings import Categories, EachOnce, Name, Settings, Text
from multirm.study.trees import Preferences, Trees
from multirm.tables.accuracy import DEFAULT_AGGREGATION, Aggregation
from multirm.tables.reward_models import Kind, run_name

# In these sections, a key of each entry decides which other keys it may have.
VARIANTS = {"datasets": ("reader", ("miniature", *Reader)), "models": ("kind", tuple(Kind))}


def _named(sets: Any) -> Any:
    """Explain the current syntax to studies with a single unnamed set."""
    if isinstance(sets, Mapping) and isinstance(sets.get("dataset"), str):
        raise ValueError(
            "sets of critiques have names now; write `critiques: {NAME: {dataset: …}}`, and "
            "`critiques: NAME` in each generative model"
        )
    return sets


def _inherited(sets: Mapping[str, Critiques]) -> dict[str, Critiques]:
    """Complete the sets that are `from` another one with how that one is filtered."""
    return {
        name: each.filtered_like(sets[each.from_]) if each.from_ and each.from_ in sets else each
        for name, each in sets.items()
    }


class Study(Settings):
    """Everything that `snakemake all` makes."""

    study: Name = Field(description="its name")
    seed: Seed = Field(
        42,
        description="of everything drawn at random; items have their own generators, seeded by it and by their keys",
    )
    training_seeds: Annotated[list[Seed], EachOnce] | None = Field(
        None,
        min_length=1,
        description="each reward model is trained once per seed; null for the study's seed alone",
    )
    gpu_memory: Positive = Field(
        80, description="GB of each of the site's GPUs, to estimate how many a job needs"
    )
    data: Text = Field(".", description="the folder that dataset sources are relative to")
    results: Annotated[Text, AfterValidator(a_folder_below)] = Field(
        DEFAULT,
        description="the folder, below the working directory, for everything that is made; two studies that make the "
        "same files differently need one each",
    )
    categories: Categories = Field(description="in the order of the figures' panels")
    questions: dict[Name, Questions] = Field(
        {}, description="sets of bare questions, for datasets that are sampled here"
    )
    datasets: dict[Name, Dataset] = Field(
        description="what reward models are trained and evaluated on"
    )
    backbones: dict[Name, Backbone] = Field(
        description="language models: policies, teachers, and what reward models are trained from"
    )
    critiques: Annotated[
        dict[Name, Critiques], BeforeValidator(_named), AfterValidator(_inherited)
    ] = Field({}, description="sets of critiques to train generative reward models on")
    trees: dict[Name, Trees] = Field({}, description="preference trees of datasets' solutions")
    preferences: dict[Name, Preferences] = Field(
        {}, description="sets of pairs from preference trees, to train pairwise reward models on"
    )
    models: dict[Name, RewardModel] = Field(
        {}, description="reward models: trained here, or elsewhere"
    )
    searches: dict[Name, SearchRun] = Field(
        {}, description="searches for answers, by a policy and a reward model together"
    )
    evaluation: Evaluation = Field(description="what is evaluated")
    figures: Figures = Field(Figures(), description="what figures show")

    @model_validator(mode="before")
    @classmethod
    def _moved_templates(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "templates" in values:
            raise ValueError(
                "`templates` is now a key of a set of critiques (critiques.NAME.templates) "
                "or of a backbone's `pretrain`, or `template` of a generative model"
            )
        return values

    @cached_property
    def runs(self) -> dict[str, Run]:
        """All training runs, and models with external rewards, by name."""
        seeds = self.training_seeds or [self.seed]
        runs = [run for name, model in self.models.items() for run in runs_of(name, model, seeds)]
        return {run.name: run for run in runs}

    @cached_property
    def trained_models(self) -> dict[str, DiscriminativeModel | PairwiseModel | GenerativeModel]:
        """The settings of the reward models that are trained here, by name."""
        return {
            name: model
            for name, model in self.models.items()
            if isinstance(model, DiscriminativeModel | PairwiseModel | GenerativeModel)
        }

    def categories_of(self, dataset: str) -> list[str]:
        """A dataset's categories: its own, those of the dataset it derives from, or the study's."""
        settings = self.datasets[dataset]
        if settings.categories:
            return settings.categories
        if isinstance(settings, DerivedDataset):
            return self.categories_of(settings.from_)
        if isinstance(settings, SampledDataset):
            return self.categories_of_questions(settings.sample.questions)
        return self.categories

    def categories_of_questions(self, questions: str) -> list[str]:
        """The categories of a set of bare questions: its own, or the study's."""
        return self.questions[questions].categories or self.categories

    def origins_of(self, dataset: str) -> list[str]:
        """A dataset and those it derives from, back to the one that does not derive from another."""
        chain = [dataset]
        while isinstance(settings := self.datasets[chain[-1]], DerivedDataset):
            chain.append(settings.from_)
        return chain

    def needed_datasets(self, dataset: str) -> list[str]:
        """The other datasets that a dataset is made with: whose solutions or labels its jobs read."""
        settings = self.datasets[dataset]
        if isinstance(settings, SampledDataset):
            return [settings.sample.exemplars] if settings.sample.exemplars else []
        if not isinstance(settings, DerivedDataset):
            return []
        needed = [settings.from_]
        if label := settings.label:
            needed += label.agree or []
            if label.monte_carlo and label.monte_carlo.exemplars:
                needed.append(label.monte_carlo.exemplars)
        return needed

    def labelled_from(self, dataset: str) -> str | None:
        """The dataset whose solutions a dataset has with other step labels, if it does."""
        settings = self.datasets[dataset]
        if isinstance(settings, DerivedDataset) and settings.label:
            return settings.from_
        return None

    def is_continued(self, dataset: str) -> bool:
        """Whether a dataset's step labels are made by continuing its solutions."""
        settings = self.datasets[dataset]
        label = settings.label if isinstance(settings, DerivedDataset) else None
        return label is not None and label.monte_carlo is not None

    def compared_labels(self, known: str) -> list[str]:
        """The datasets whose step labels are compared with those of a dataset that are known to be right."""
        origin = self.labelled_from(known) or known
        return [
            name for name in self.datasets if name != known and self.labelled_from(name) == origin
        ]

    def writer_of(self, dataset: str) -> str | None:
        """The backbone that samples, judges, continues or rewrites a dataset's solutions, if one does."""
        settings = self.datasets[dataset]
        if isinstance(settings, SampledDataset):
            return settings.sample.policy
        if not isinstance(settings, DerivedDataset):
            return None
        if settings.augment:
            return settings.augment.model
        label = settings.label
        if label and label.judge:
            return label.judge.model
        return label.monte_carlo.policy if label and label.monte_carlo else None

    def writing_of(self, dataset: str) -> Sampling:
        """How the backbone that `writer_of` returns samples its texts.

        Raises:
            TypeError: no backbone writes anything for the dataset.
        """
        settings = self.datasets[dataset]
        if isinstance(settings, SampledDataset):
            return settings.sample
        found = None
        if isinstance(settings, DerivedDataset):
            label = settings.label
            found = settings.augment or (label and (label.judge or label.monte_carlo))
        if not found:
            raise TypeError(f"no backbone writes anything for {dataset}")
        return found

    def shuffled_from(self) -> dict[str, str]:
        """Evaluated datasets with answers and with the steps of another evaluated one, shuffled, each with that one."""
        return {
            name: settings.from_
            for name in self.evaluation.datasets
            if isinstance(settings := self.datasets[name], DerivedDataset)
            and settings.shuffle
            and settings.from_ in self.evaluation.datasets
            and self.has_answers(name)
        }

    def exemplars_of(self, dataset: str) -> tuple[str, str] | None:
        """The key that names the worked examples in the prompts for a dataset, and the dataset that has them."""
        settings = self.datasets[dataset]
        if isinstance(settings, SampledDataset):
            return ("sample", settings.sample.exemplars) if settings.sample.exemplars else None
        label = settings.label if isinstance(settings, DerivedDataset) else None
        if label and label.monte_carlo and label.monte_carlo.exemplars:
            return "label.monte_carlo", label.monte_carlo.exemplars
        return None

    def sampled_as(self, dataset: str) -> str | None:
        """The dataset that is sampled here and whose solutions a dataset has, all of them; None for other datasets."""
        *derived, origin = self.origins_of(dataset)
        settings = self.datasets[origin]
        is_whole = isinstance(settings, SampledDataset) and all(map(self._keeps_pools, derived))
        return origin if is_whole else None

    def takes_from_pools(self, dataset: str) -> bool:
        """Whether a dataset has some of the solutions of a dataset that is sampled here, but not all of them."""
        *derived, origin = self.origins_of(dataset)
        if not isinstance(self.datasets[origin], SampledDataset) or self.has_variants(dataset):
            return False
        return not all(map(self._keeps_pools, derived))

    def _keeps_pools(self, dataset: str) -> bool:
        """Whether a dataset has all solutions of the one that it derives from."""
        settings = self.datasets[dataset]
        if not isinstance(settings, DerivedDataset) or settings.augment:
            return False
        return not settings.take or not (settings.take.questions or settings.take.solutions)

    def keeps_solutions(self, dataset: str) -> bool:
        """Whether a dataset has solutions of the one that it derives from: all or some, if with other labels."""
        settings = self.datasets[dataset]
        if not isinstance(settings, DerivedDataset):
            return False
        relabelled = settings.noise is not None or settings.label is not None
        return relabelled or bool(settings.take and not settings.take.steps)

    def has_variants(self, dataset: str) -> bool:
        """Whether a dataset has variants of solutions, or derives from one that has."""
        origins = (self.datasets[name] for name in self.origins_of(dataset))
        return any(isinstance(each, DerivedDataset) and bool(each.augment) for each in origins)

    def has_answers(self, dataset: str) -> bool:
        """Whether a dataset's solutions have answers, from which one can be selected."""
        origin = self.datasets[self.origins_of(dataset)[-1]]
        source = (
            self.questions[origin.sample.questions]
            if isinstance(origin, SampledDataset)
            else origin
        )
        return not isinstance(source, ReadDataset | ReadQuestions) or source.reader.has_answers

    def has_corruptions(self, dataset: str) -> bool:
        """Whether a dataset's questions have a right solution and corruptions of it, with step labels."""
        origin = self.datasets[self.origins_of(dataset)[-1]]
        return isinstance(origin, ReadDataset) and origin.reader is Reader.PRMBENCH

    def noise_of(self, dataset: str) -> tuple[float | None, float | None]:
        """The label noise that the study adds to a dataset: the share of noisy solutions, and their step noise.

        Null if it is added several times, or outcome labels are flipped as well.
        """
        origins = [self.datasets[name] for name in self.origins_of(dataset)]
        noises = [each.noise for each in origins if isinstance(each, DerivedDataset) and each.noise]
        if len(noises) > 1 or any(each.outcomes for each in noises):
            return None, None
        return (noises[0].share, noises[0].steps) if noises else (0.0, 0.0)

    def size_of(self, model: str) -> float:
        """The number of parameters that a reward model scores with, those of a reference model included.

        Raises:
            TypeError: its rewards are external.
        """
        settings = self.runs[model].settings
        if isinstance(settings, ReadyModel):
            has_two = isinstance(settings, ReadyDiscriminativeModel) and settings.compared_with
            backbone = self.backbones[settings.backbone] if settings.backbone else None
            size = backbone.size if backbone else settings.parameters or 0.0
            return size * (2 if has_two else 1)
        return self.backbones[self.runs[model].trained.backbone].size

    def training_datasets_of(self, model: str) -> list[str]:
        """The datasets that a reward model's training solutions are from.

        Raises:
            TypeError: the reward model is not trained here.
        """
        settings = self.runs[model].trained
        if isinstance(settings, GenerativeModel):
            return [self.critiques[settings.critiques].dataset]
        if isinstance(settings, PairwiseModel):
            return list(dict.fromkeys(map(self.merged_for, settings.preferences)))
        return settings.datasets

    def merged_for(self, preferences: str) -> str:
        """The dataset whose solutions are merged to trees for a set of preferences."""
        return self.trees[self.preferences[preferences].trees].dataset

    def labels_of(self, model: str, dataset: str) -> str | None:
        """The dataset whose labels table says what a dPRM learns of the steps of a training dataset.

        It is the dataset itself, or one that it takes solutions from. None if step labels say it. They do not of
        augmented solutions and of PRM800K's alternatives, whose own step alone is learned, and values are in labels
        tables only.
        """
        settings = self.runs[model].settings
        if not isinstance(settings, DiscriminativeModel) or settings.kind is not Kind.DPRM:
            return None
        return self.labels_table_of(dataset, values=settings.training.targets is Targets.VALUES)

    def labels_table_of(self, dataset: str, *, values: bool) -> str | None:
        """The dataset whose labels table says more of a dataset's steps than their step labels do, if there is one.

        It is the dataset itself, or one that it takes whole solutions from. Noise has a labels table of its own.

        Args:
            values: whether values count: then the tables that step labels were chosen from say more.
        """
        settings = self.datasets[dataset]
        if isinstance(settings, ReadDataset):
            return dataset if settings.reader.has_own_labels else None
        if not isinstance(settings, DerivedDataset):
            return None
        if settings.label:
            return dataset if values else None
        if settings.augment:
            return dataset
        keeps_steps = settings.noise or (settings.take and not settings.take.steps)
        found = self.labels_table_of(settings.from_, values=values) if keeps_steps else None
        return dataset if found and settings.noise else found

    def learned_from(self, model: str) -> list[str]:
        """The datasets that a reward model learned from, those of the model that it started from first."""
        start = self.start_of(model)
        before = self.learned_from(start) if start else []
        return list(dict.fromkeys([*before, *self.training_datasets_of(model)]))

    def validation_datasets_of(self, model: str) -> list[str]:
        """The datasets that a reward model is evaluated on during training."""
        settings = self.runs[model].settings
        validation = isinstance(settings, DiscriminativeModel) and settings.training.validation
        return (validation and validation.dataset) or []

    def start_of(self, model: str) -> str | None:
        """The reward model from which the training of another one starts: the run with the same seed."""
        run = self.runs[model]
        if not isinstance(run.settings, DiscriminativeModel | PairwiseModel):
            return None
        start = run.settings.from_
        if start is None or run.name == run.model:
            return start
        return run_name(start, int(run.seed or 0))

    def is_whole(self, model: str) -> bool:
        """Whether a reward model is a whole model rather than an adapter."""
        is_pairwise = isinstance(self.runs[model].settings, PairwiseModel)
        return is_pairwise or self.trains_all(model)

    def trains_all(self, model: str) -> bool:
        """Whether all weights of a reward model are trained rather than those of an adapter."""
        settings = self.runs[model].settings
        if not isinstance(settings, DiscriminativeModel | PairwiseModel):
            return False
        return settings.training.method is Method.FULL

    def training_categories_of(self, model: str) -> list[str]:
        """The categories that a reward model is trained on: those that it names, or all of its training datasets.

        Raises:
            TypeError: the reward model is not trained here.
        """
        of_datasets = map(self.categories_of, self.training_datasets_of(model))
        every = dict.fromkeys(category for categories in of_datasets for category in categories)
        return self.runs[model].trained.categories or list(every)

    def trained_categories(self, model: str, dataset: str) -> list[str]:
        """Those categories of a dataset that a reward model is trained on."""
        known = self.categories_of(dataset)
        return [category for category in self.training_categories_of(model) if category in known]

    def criticised_categories(self, critique_set: str, kind: str) -> list[str]:
        """The categories of a set's critiques of a kind on which reward models are trained; without any, all."""
        every = self.categories_of(self.critiques[critique_set].dataset)
        used = {
            category
            for run in self.runs.values()
            if isinstance(run.settings, GenerativeModel)
            and (run.settings.critiques, run.kind) == (critique_set, kind)
            for category in self.training_categories_of(run.name)
        }
        return [category for category in every if category in used] or every

    @cached_property
    def aggregations(self) -> dict[str, list[Aggregation]]:
        """The aggregations of each run: those in the study, or its kind's default."""
        chosen = self.evaluation.aggregation
        return {
            run.name: chosen.get(run.model, [DEFAULT_AGGREGATION[run.kind]])
            for run in self.runs.values()
        }

    def critiques_of(self, model: str) -> Critiques:
        """How the critiques that a generative reward model is trained on were generated or read.

        Raises:
            TypeError: the reward model is not trained on critiques.
        """
        return self.critiques[self.generated_for(self.critique_set_of(model))]

    def critique_set_of(self, model: str) -> str:
        """The name of the set of critiques that a generative reward model is trained on.

        Raises:
            TypeError: the reward model is not trained on critiques.
        """
        settings = self.runs[model].settings
        if not isinstance(settings, GenerativeModel):
            raise TypeError(f"{model} is not trained on critiques")
        return settings.critiques

    def generated_for(self, critique_set: str) -> str:
        """The set of critiques for which the critiques of a set were generated: itself, or the one it is `from`."""
        return self.critiques[critique_set].from_ or critique_set

    def template_of(self, model: str) -> str | None:
        """The prompt template file of a reward model; None for the package's own, or the format's."""
        settings = self.runs[model].settings
        if isinstance(settings, ReadyModel):
            return settings.template
        own = settings.template if isinstance(settings, GenerativeModel) else None
        return own or self.critiques_of(model).templates.of(self.runs[model].kind)
