"""Low-rank adapters: put on a backbone before training, kept as ordinary peft folders after it."""

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
    """`model` with a fresh adapter on every linear layer but the output's; all else is frozen.

    Args:
        rank: of the two matrices of each layer.
        alpha: the adapter counts `alpha / rank` times.
        dropout: on the adapter's input, in [0, 1).
        seed: of the adapter's first weights.
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
    # peft writes down every layer's full name, in the order of a set: other bytes in every run.
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
    """Write the adapter, its tokenizer and where it came from to the folder `output`, whole or not at all.

    Args:
        weights: of the adapter, as `sharding.trained_weights` gives them.
        questions: those that it has learned from.
    """
    base = model.get_base_model().name_or_path
    for setting, value in base_as_written(base, output).items():
        setattr(model.peft_config["default"], setting, value)
    with whole_model(output, ADAPTER, origin, base_files(Path(base))) as part:
        model.save_pretrained(part, save_embedding_layers=False, state_dict=dict(weights))
        # A model card in which nothing is filled in.
        (part / "README.md").unlink(missing_ok=True)
        tokenizer.save_pretrained(part)
        write_learned(part, questions)
