"""What each job of a study needs: its stage's environment, and a cluster's resources."""

from multirm.engines.name import EngineName
from multirm.models.activations import Decoder
from multirm.models.dtype import Dtype
from multirm.study import resources
from multirm.study.datasets import DerivedDataset, MiniatureDataset, SampledDataset
from multirm.study.files import teacher_name
from multirm.study.labelling import Augmentation, Judge, MonteCarlo, Sample
from multirm.study.questions import MiniatureQuestions
from multirm.study.resources import Resources, Share
from multirm.study.reward_models import GenerativeScoring
from multirm.study.sampling import Sampling
from multirm.study.study import Study

STEPS = 8
"""A typical number of steps of a solution."""


def engine_stage(engine: EngineName) -> str:
    """The stage whose environment an engine needs."""
    return "vllm" if engine is EngineName.VLLM else "train"


def critiques_stage(study: Study, critique_set: str) -> str:
    """The stage whose environment the engine of a set's teacher needs."""
    return engine_stage(study.critiques[critique_set].engine)


def scoring_stage(study: Study, model: str) -> str:
    """The stage whose environment a reward model's scoring needs."""
    return engine_stage(study.runs[model].scoring.engine)


def n_solutions(study: Study, dataset: str) -> int:
    """The approximate number of solutions in a dataset's category."""
    settings = study.datasets[dataset]
    if isinstance(settings, DerivedDataset):
        found = n_solutions(study, settings.from_)
        if settings.augment:
            return found * settings.augment.per_solution
        of_questions = (settings.take and settings.take.questions) or found
        of_each = (settings.take and settings.take.solutions) or found
        return min(found, of_questions * of_each)
    if isinstance(settings, MiniatureDataset):
        return settings.questions * settings.solutions
    if isinstance(settings, SampledDataset):
        return n_questions(study, settings.sample.questions) * settings.sample.per_question
    return settings.size


def n_questions(study: Study, questions: str) -> int:
    """The approximate number of questions in a category of a set of bare questions."""
    settings = study.questions[questions]
    if isinstance(settings, MiniatureQuestions):
        return settings.questions
    return min(settings.size, settings.questions or settings.size)


def writer_stage(study: Study, dataset: str) -> str:
    """The stage whose environment the engine needs that writes something for a dataset."""
    return engine_stage(study.writing_of(dataset).engine)


def writing(study: Study, dataset: str) -> Resources:
    """The resources for a backbone that writes something for a dataset's category."""
    settings = study.writing_of(dataset)
    if isinstance(settings, Sample):
        texts = n_solutions(study, dataset)
    else:
        texts = n_solutions(study, study.needed_datasets(dataset)[0])
        if isinstance(settings, Judge):
            texts *= settings.votes
        elif isinstance(settings, MonteCarlo):
            texts *= settings.per_prefix * STEPS
        elif isinstance(settings, Augmentation):
            texts *= settings.per_solution
    size = study.backbones[study.writer_of(dataset) or ""].size
    return _writing(study, settings, size, texts, Dtype.AUTO)


def decoder_of(study: Study, backbone: str) -> Decoder:
    """The shape of a backbone, estimated from its size unless it is pretrained here."""
    pretraining = study.backbones[backbone].pretrain
    if pretraining:
        return Decoder(pretraining.layers, pretraining.width, 3 * pretraining.width)
    return Decoder.guessed(study.backbones[backbone].size)


def training_share(study: Study, model: str) -> Share:
    """The workload of one process of a training run."""
    run = study.runs[model]
    training = run.trained.training
    pretraining = study.backbones[run.trained.backbone].pretrain
    return Share(
        decoder_of(study, run.trained.backbone),
        max(1, training.batch_size // training.processes),
        training.max_length,
        training.device_batch_size,
        run.kind.is_generative,
        pretraining.vocabulary if pretraining else None,
        training.activation_memory,
        training.dtype,
    )


def training(study: Study, model: str) -> Resources:
    """The resources for training a reward model."""
    run = study.runs[model]
    sequences = sum(
        n_solutions(study, dataset) * len(study.trained_categories(model, dataset))
        for dataset in study.training_datasets_of(model)
    )
    if run.kind.is_generative:
        sequences *= study.critiques_of(model).per_solution
    settings = run.trained.training
    return resources.of_training(
        study.backbones[run.trained.backbone].size,
        sequences,
        settings.epochs,
        settings.processes,
        training_share(study, model),
        study.trains_all(model),
    )


def pretraining(study: Study, backbone: str) -> Resources:
    """The resources for pretraining a backbone.

    Raises:
        TypeError: the backbone is not pretrained here.
    """
    settings = study.backbones[backbone].pretrain
    if settings is None:
        raise TypeError(f"{backbone} is not pretrained here")
    return resources.of_pretraining(
        settings.parameters,
        settings.tokens,
        decoder_of(study, backbone),
        settings.vocabulary,
        max(settings.batch_tokens, settings.max_length),
    )


def merging(study: Study, model: str) -> Resources:
    """The resources for merging a reward model's adapter into its backbone."""
    return resources.of_merging(study.backbones[study.runs[model].trained.backbone].size)


def criticising(study: Study, critique_set: str) -> Resources:
    """The resources for generating a set's critiques of a category."""
    settings = study.critiques[critique_set]
    critiques = settings.per_solution * n_solutions(study, settings.dataset)
    size = study.backbones[teacher_name(study, critique_set)].size
    return _writing(study, settings, size, critiques, Dtype.AUTO)


def scoring(study: Study, model: str, dataset: str) -> Resources:
    """The resources for scoring a dataset's category, or a shard of it, with a reward model."""
    settings, size = study.runs[model].scoring, study.size_of(model)
    solutions = n_solutions(study, dataset) // settings.shards
    if isinstance(settings, GenerativeScoring):
        critiques = solutions * settings.samples
        return _writing(study, settings, size, critiques, settings.dtype)
    is_split = settings.engine is EngineName.VLLM
    gpu_memory = study.gpu_memory if is_split else None
    return resources.of_reading(size, solutions, settings.dtype, gpu_memory)


def search_stage(study: Study, search: str) -> str:
    """The stage whose environment a search's engine needs."""
    return engine_stage(study.searches[search].engine)


def searching(study: Study, search: str) -> Resources:
    """The resources for searching for answers to a category's questions, with two models at once."""
    settings = study.searches[search]
    texts = n_questions(study, settings.questions) * settings.candidates
    size = study.backbones[settings.policy].size + study.size_of(settings.model)
    return _writing(study, settings, size, texts, settings.dtype)


def merging_solutions(study: Study, trees: str) -> Resources:
    """The resources for merging a category's solutions to trees."""
    return resources.of_table(n_solutions(study, study.trees[trees].dataset) * STEPS)


def extracting(study: Study, preferences: str) -> Resources:
    """The resources for extracting the pairs of a category's trees."""
    return resources.of_table(n_solutions(study, study.merged_for(preferences)) * STEPS)


def counting_trees(study: Study, preferences: str) -> Resources:
    """The resources for counting the trees of all categories, in several orders."""
    dataset = study.merged_for(preferences)
    n_categories = len(study.categories_of(dataset))
    return resources.of_table(n_solutions(study, dataset) * STEPS * n_categories)


def evaluation(study: Study, dataset: str) -> Resources:
    """The resources for evaluating all rewards on a dataset."""
    solutions = n_solutions(study, dataset) * len(study.categories_of(dataset))
    return resources.of_table(solutions * (1 + len(study.runs)))


def table(study: Study) -> Resources:
    """The resources for a job that only reads and writes tables."""
    return resources.of_table()


def page(study: Study) -> Resources:
    """The resources for the page of a study: it reads all solutions and rewards of one dataset at a time."""
    return max(
        (evaluation(study, dataset) for dataset in study.evaluation.datasets),
        key=lambda each: each.mem_mb,
        default=table(study),
    )


def _writing(
    study: Study, settings: Sampling, size: float, critiques: int, dtype: Dtype
) -> Resources:
    if settings.engine.is_remote:
        return resources.of_asking()
    return resources.of_writing(size, critiques, settings.max_tokens, study.gpu_memory, dtype)
