"""LoRA adapters: add one to a backbone before training, and save it in peft's layout afterwards."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.adapters import base_as_written, base_files, beyond_lora, read_settings
from multirm.models.learned_from import write_learned
from multirm.models.load import load_adapter
from multirm.running.provenance import ADAPTER, Origin, whole_model
from multirm.running.randomness import item_seed
from multirm.training.low_rank import shorten


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
    return shorten(adapted)


def continue_adapter(
    base: PreTrainedModel, adapter: Path, rank: int, alpha: int, dropout: float
) -> PeftModel:
    """Apply the adapter in a folder to its base, to train it on.

    Args:
        rank, alpha: the adapter's own, which training cannot change.
        dropout: as of `add_adapter`; it may differ from earlier training.

    Raises:
        InputError: it has another rank or alpha, is more than low-rank products, or is for another base.
    """
    refuse_more_than_lora(adapter)
    settings = read_settings(adapter)
    own = settings.get("r"), settings.get("lora_alpha")
    if own != (rank, alpha):
        raise InputError(
            adapter,
            expected=f"an adapter of rank {rank} and alpha {alpha}, to train it on",
            found="rank {} and alpha {}".format(*own),
            remedy="train with its own rank and alpha, or merge it into its base and start from the merged model",
        )
    adapted = load_adapter(base, adapter, trains=True)
    for layer in adapted.modules():
        if isinstance(layer, LoraLayer):
            layer.lora_dropout["default"] = nn.Dropout(dropout) if dropout else nn.Identity()
    config = adapted.peft_config["default"]
    config.lora_dropout = dropout
    if isinstance(config.target_modules, set):
        # The order of a set would differ from run to run.
        config.target_modules = sorted(config.target_modules)
    return shorten(adapted)


def refuse_more_than_lora(adapter: Path) -> None:
    """Refuse to train an adapter that is more than low-rank products added to weights.

    Raises:
        InputError: it also has trained biases, whole layers, or other settings.
    """
    settings = read_settings(adapter)
    others = beyond_lora(settings)
    others += [
        name
        for name in ("modules_to_save", "bias")
        if settings.get(name, "none") not in (None, "none", [])
    ]
    if others:
        raise InputError(
            adapter,
            expected="an adapter of low-rank products alone, to train it on",
            found=", ".join(others),
            remedy="merge it into its base with the library that made it, and start from the merged model",
        )


def save_adapter(
    model: PeftModel,
    weights: Mapping[str, Tensor],
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    origin: Origin,
    questions: Iterable[str],
    *continued: str,
) -> None:
    """Write the adapter, its tokenizer and its provenance to the folder `output`, atomically.

    Args:
        weights: the adapter's weights, as returned by `sharding.trained_weights`.
        questions: the questions that it was trained on.
        continued: the adapter that it was before, if any.
    """
    base = model.get_base_model().name_or_path
    for setting, value in base_as_written(base, output).items():
        setattr(model.peft_config["default"], setting, value)
    with whole_model(output, ADAPTER, origin, base_files(Path(base))) as part:
        model.save_pretrained(part, save_embedding_layers=False, state_dict=dict(weights))
        # An empty model card.
        (part / "README.md").unlink(missing_ok=True)
        tokenizer.save_pretrained(part)
        write_learned(part, questions, *continued)
