"""Full fine-tuning: save the whole model that was trained."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.models.learned_from import write_learned
from multirm.running.provenance import TUNED, Origin, whole_model


def save_model(
    model: PreTrainedModel,
    weights: Mapping[str, Tensor],
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    origin: Origin,
    questions: Iterable[str],
    start: str,
) -> None:
    """Write the model in fp32, its tokenizer and its provenance to the folder `output`, atomically.

    In bf16, small changes would be rounded away: at a learning rate of 1e-6, a step changes a weight by a hundredth of
    a unit in its last place.

    Args:
        weights: all weights, as returned by `sharding.trained_weights`.
        questions: the questions that it was trained on.
        start: the model that it was trained from.
    """
    with whole_model(output, TUNED, origin) as part:
        # One file with a known name, so that workflows can declare it.
        model.save_pretrained(part, state_dict=dict(weights), max_shard_size="1TB")
        tokenizer.save_pretrained(part)
        write_learned(part, questions, start)
