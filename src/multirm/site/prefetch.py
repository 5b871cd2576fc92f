"""Download what a study needs from the hub, for jobs without network access."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from multirm.errors import InputError
from multirm.formats.multi_rm import fetch_dataset
from multirm.formats.sources import Reader, places_of
from multirm.models.folders import fetch_model
from multirm.running.arguments import entry
from multirm.study.datasets import ReadDataset
from multirm.study.load import load_study, read_yaml
from multirm.study.questions import ReadQuestions
from multirm.study.reward_models import ExternalModel
from multirm.study.study import Study
from multirm.study.targets import (
    backbones_run_here,
    ready_models,
    used_backbones,
    used_critiques,
    used_datasets,
    used_questions,
)
from multirm.tables.reward_models import Kind

logger = logging.getLogger(__name__)


@entry
def prefetch(study: Path) -> None:
    """Download all models and datasets of a study that are on the hub, into the cache that jobs use.

    Jobs can then run with HF_HUB_OFFLINE=1. Failed downloads (for lack of a licence or a token) are reported;
    the rest is downloaded all the same.

    Args:
        study: the YAML file.

    Raises:
        InputError: the study is invalid, or some downloads failed.
    """
    missed = 0
    for name, fetch in _on_the_hub(load_study(read_yaml(study), [study])).items():
        logger.info("fetching %s", name)
        try:
            fetch(name)
        except InputError as error:
            logger.error("%s", error)
            missed += 1
    if missed:
        raise InputError(
            study,
            expected="models and datasets that can be downloaded",
            found=f"{missed} that cannot",
            remedy="see above for each",
        )


def _on_the_hub(study: Study) -> dict[str, Callable[[str], object]]:
    """The hub names in a study, each with the function that downloads it."""
    here = {*backbones_run_here(study)}
    models = {
        study.backbones[name].model: fetch_model if name in here else _fetch_tokenizer
        for name in used_backbones(study)
    } | dict.fromkeys(ready_models(study), fetch_model)
    found: dict[str, Callable[[str], object]] = {
        model: fetch for model, fetch in models.items() if model and not Path(model).exists()
    }
    for source in _sources_of(study):
        for place in places_of(Reader.PUBLISHED, source, Path(study.data), ""):
            if isinstance(place, str):
                found[place] = fetch_dataset
    return found


def _fetch_tokenizer(model: str) -> Path:
    """Download the tokenizer of a model that runs elsewhere."""
    return fetch_model(model, weights=False)


def _sources_of(study: Study) -> Iterator[list[str]]:
    for name, kind in used_critiques(study):
        if published := study.critiques[name].published:
            yield published.gORM if kind is Kind.GORM else published.gPRM
    for name in used_datasets(study):
        dataset = study.datasets[name]
        if isinstance(dataset, ReadDataset) and dataset.reader is Reader.PUBLISHED:
            yield dataset.source
    for name in used_questions(study):
        questions = study.questions[name]
        if isinstance(questions, ReadQuestions) and questions.reader is Reader.PUBLISHED:
            yield questions.source
    for model in study.models.values():
        if isinstance(model, ExternalModel):
            yield from model.rewards.values()
