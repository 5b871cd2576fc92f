"""What is trained: the network to start from, and the folder that it becomes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.adapters import is_adapter
from multirm.models.folders import fetch_model
from multirm.models.training_method import Method
from multirm.running.provenance import ADAPTER, TUNED, Origin
from multirm.training.classifiers import starting_classifier, without_adapter
from multirm.training.full import save_model
from multirm.training.lora import save_adapter
from multirm.training.recipe import Recipe
from multirm.training.starting_points import is_sharded, starting_model


class Trained(NamedTuple):
    """What training leaves in memory.

    Attributes:
        weights: the trained weights, as returned by `sharding.trained_weights`.
        questions: the questions that it was trained on.
    """

    model: PreTrainedModel
    weights: Mapping[str, Tensor]
    tokenizer: PreTrainedTokenizerBase
    questions: Iterable[str]


class Network(Protocol):
    """A network to be trained.

    Attributes:
        backbone: folder or hub name of the model to start from.
        method: whether to train an adapter or all weights.
        made: the kind of the folder that is written.
    """

    backbone: str
    method: Method

    @property
    def made(self) -> str: ...

    def start(self, recipe: Recipe) -> PreTrainedModel:
        """Load it, with the weights to train."""
        ...

    def save(self, trained: Trained, output: Path, origin: Origin) -> None:
        """Write what was trained to a folder; only the main process calls it."""
        ...


@dataclass
class LanguageModel(Network):
    """A causal language model: an adapter on it is written, or all of it."""

    backbone: str
    method: Method = Method.LORA

    @property
    def made(self) -> str:
        return TUNED if self.method is Method.FULL else ADAPTER

    def start(self, recipe: Recipe) -> PreTrainedModel:
        return starting_model(self.backbone, recipe, self.method)

    def save(self, trained: Trained, output: Path, origin: Origin) -> None:
        model, weights, tokenizer, questions = trained
        if self.method is Method.FULL:
            save_model(model, weights, tokenizer, output, origin, questions, self.backbone)
        else:
            continued = [self.backbone] if is_adapter(fetch_model(self.backbone)) else []
            save_adapter(model, weights, tokenizer, output, origin, questions, *continued)


@dataclass
class Classifier(Network):
    """A sequence classifier with one label, which is written whole, with an adapter merged into it."""

    backbone: str
    method: Method = Method.FULL
    made = TUNED

    def start(self, recipe: Recipe) -> PreTrainedModel:
        if self.method is Method.LORA and is_sharded(recipe.parallelism):
            raise InputError(
                "parallelism",
                expected="ddp, to merge an adapter into a classifier",
                found=recipe.parallelism,
                remedy="train all weights by the method full, or with ddp",
            )
        return starting_classifier(self.backbone, recipe, self.method)

    def save(self, trained: Trained, output: Path, origin: Origin) -> None:
        model, weights, tokenizer, questions = trained
        merged = without_adapter(model)
        whole = weights if self.method is Method.FULL else merged.state_dict()
        save_model(merged, whole, tokenizer, output, origin, questions, self.backbone)
