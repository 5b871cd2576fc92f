"""LoRA adapters: add one to a backbone before training, and save it in peft's layout afterwards."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.models.adapters import base_as_written, base_files
from multirm.models.learned_from import write_learned
from multirm.running.provenance import ADAPTER, Origin, whole_model
from multirm.running.randomness import item_seed


def add_adapter(
    model: PreTrainedModel, rank: int, alpha: int, dropout: float, seed: int
) -> PeftModel:
    """Add a new adapter to every linear layer of `model` except the output layer; all other weights are frozen.

    Args:
        rank: rank of each layer's adapter.
        alpha: the adapter is scaled by `alpha / rank`.
        dropout: on the adapter's input, in [0, 1).
        seed: seed of the adapter's initial weights.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear",
        task_type=TaskType.CAUSAL_LM,
    )
    with torch.random.fork_rng():
        torch.manual_seed(item_seed(seed, "adapter"))
        adapted = get_peft_model(model, config)
    # peft saves every layer's full name in the order of a set, which would differ from run to run.
    layers = adapted.peft_config["default"].target_modules
    adapted.peft_config["default"].target_modules = sorted({n.rpartition(".")[2] for n in layers})
    return adapted


def save_adapter(
    model: PeftModel,
    weights: Mapping[str, Tensor],
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    origin: Origin,
    questions: Iterable[str],
) -> None:
    """Write the adapter, its tokenizer and its provenance to the folder `output`, atomically.

    Args:
        weights: the adapter's weights, as returned by `sharding.trained_weights`.
        questions: the questions that it was trained on.
    """
    base = model.get_base_model().name_or_path
    for setting, value in base_as_written(base, output).items():
        setattr(model.peft_config["default"], setting, value)
    with whole_model(output, ADAPTER, origin, base_files(Path(base))) as part:
        model.save_pretrained(part, save_embedding_layers=False, state_dict=dict(weights))
        # An empty model card.
        (part / "README.md").unlink(missing_ok=True)
        tokenizer.save_pretrained(part)
        write_learned(part, questions)
