"""Sequence classifiers with one label: the networks of pairwise reward models, as they start and as they are saved."""

import math
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from multirm.errors import InputError
from multirm.models.adapters import is_adapter
from multirm.models.folders import fetch_model
from multirm.models.load import load_model
from multirm.models.training_method import Method
from multirm.models.trunks import LinearWeights, load_trunk
from multirm.running.randomness import item_generator, item_seed
from multirm.training.low_rank import shorten
from multirm.training.recipe import Recipe

HEAD = "score"
"""The name of the layer that gives the reward, in transformers' sequence classifiers."""


def starting_classifier(backbone: str, recipe: Recipe, method: Method) -> PreTrainedModel:
    """The network to start from, in fp32, with the weights to train.

    A sequence classifier keeps its head. A language model gets one with small random weights instead of its output
    layer; an adapter is merged into its base first.

    Args:
        backbone: folder or hub name.

    Raises:
        InputError: `load_model` or `load_trunk` refuses it, its head has several outputs, or transformers has no
            sequence classifier of its architecture.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if has_head(fetch_model(backbone)):
        trunk, layers = load_trunk(backbone, [HEAD], torch.float32, device)
        head = layers[HEAD]
        if len(head.weight) != 1:
            raise InputError(
                backbone, expected="a head with one output", found=f"one with {len(head.weight)}"
            )
    else:
        causal = load_model(backbone, torch.float32, device)
        if isinstance(causal, PeftModel):
            raise InputError(
                backbone,
                expected="an adapter that can be merged",
                found="another kind",
                remedy="merge it into its base with the library that made it",
            )
        trunk = causal.get_decoder()
        trunk.name_or_path = causal.name_or_path
        head = new_head(trunk.config.get_text_config().hidden_size, recipe.seed)
    model = sequence_classifier(trunk, head)
    if method is Method.FULL:
        return model.requires_grad_(True)
    return _with_adapter(model, recipe)


def has_head(folder: Path) -> bool:
    """Whether the weights in a folder have a layer that gives rewards."""
    if is_adapter(folder):
        return False
    for file in folder.glob("*.safetensors"):
        try:
            with safe_open(file, "pt") as weights:
                if f"{HEAD}.weight" in weights.keys():  # noqa: SIM118
                    return True
        except SafetensorError:
            # The loader says what is wrong with it.
            return False
    return False


def new_head(hidden_size: int, seed: int) -> LinearWeights:
    """A head with random weights of standard deviation 1 / sqrt(hidden size + 1) (Stiennon et al. 2020)."""
    generator = item_generator(seed, "head")
    weight = generator.standard_normal((1, hidden_size)) / math.sqrt(hidden_size + 1)
    return LinearWeights(torch.tensor(weight, dtype=torch.float32), None)


def sequence_classifier(trunk: PreTrainedModel, head: LinearWeights) -> PreTrainedModel:
    """A sequence classifier with one label, with the decoder given.

    Raises:
        InputError: as `with_head`.
    """
    # One configuration for both: the decoder's layers look up in theirs how to attend.
    config = trunk.config
    config.num_labels = 1
    kind, remedy = AutoModelForSequenceClassification, "choose a backbone of another family"
    return with_head(kind, config, trunk, head, remedy).to(trunk.device)


def with_head(
    kind: type[AutoModelForSequenceClassification] | type[AutoModelForTokenClassification],
    config: PreTrainedConfig,
    trunk: PreTrainedModel,
    head: LinearWeights,
    remedy: str,
) -> PreTrainedModel:
    """A classifier with the decoder and the head given, in evaluation mode.

    Args:
        kind: of sequences or of tokens.
        config: its configuration, with its labels; it is changed, because no output layer is left to be tied.
        trunk: the decoder, which is shared.
        head: the weights of its layer `score`.
        remedy: what to do if there is none.

    Raises:
        InputError: transformers has none of this architecture with a linear head named `score`.
    """
    config.tie_word_embeddings = False
    config.architectures = None
    try:
        # Its random weights, which are replaced, take no memory.
        with torch.device("meta"):
            found = kind.from_config(config, trust_remote_code=False)
        if not isinstance(found.score, nn.Linear):
            raise ValueError("a head that is not linear")
    except (AttributeError, ValueError) as error:
        raise InputError(
            trunk.name_or_path,
            expected="an architecture with such a classifier in transformers",
            found=type(trunk).__name__,
            remedy=remedy,
        ) from error
    setattr(found, found.base_model_prefix, trunk)
    found.config = config
    found.score = nn.Linear(head.weight.shape[1], len(head.weight), bias=head.bias is not None)
    with torch.no_grad():
        found.score.weight.copy_(head.weight)
        if head.bias is not None:
            found.score.bias.copy_(head.bias)
    found.name_or_path = trunk.name_or_path
    return found.eval()


def _with_adapter(model: PreTrainedModel, recipe: Recipe) -> PeftModel:
    """A classifier whose head is trained, and a new adapter on every other linear layer."""
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        modules_to_save=[HEAD],
        task_type=TaskType.SEQ_CLS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(item_seed(recipe.seed, "adapter"))
        return shorten(get_peft_model(model, config))


def without_adapter(model: PreTrainedModel) -> PreTrainedModel:
    """The classifier with what its adapter has learned merged into its weights; one without an adapter is returned."""
    if not isinstance(model, PeftModel):
        return model
    merged: PreTrainedModel = model.merge_and_unload()
    return merged
