"""Export a dORM or dPRM as a token classifier, which transformers and vLLM load without multirm."""

import copy
import logging
from typing import Any, Literal

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedModel

from multirm.errors import InputError
from multirm.models.learned_from import write_learned
from multirm.models.load import load_model, load_tokenizer, output_layer, sources_of
from multirm.models.trunks import LinearWeights
from multirm.running.arguments import ClassifierFolder, Place, entry
from multirm.running.provenance import CLASSIFIER, origin_of, whole_model
from multirm.text.encoding import step_candidates
from multirm.training.classifiers import with_head

logger = logging.getLogger(__name__)

LABELS = ("incorrect", "correct")
"""The classes of a token classifier, in the order of its outputs."""


@entry
def export_token_classifier(
    model: Place,
    output: ClassifierFolder,
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> None:
    """Write a discriminative reward model as a token classifier with the classes incorrect and correct.

    Its head is the two rows of the output layer that rewards are computed from, so the softmax over the classes at the
    last token of a step is the step's reward.

    Args:
        model: folder or hub name of an adapter or of a whole model.
        output: folder for the classifier: config, tokenizer and one file of weights.
        dtype: precision of the weights. What an adapter has learned is small: bfloat16 rounds most of it away.
    """
    names, folders = sources_of(model)
    origin = origin_of(__name__, {"model": names, "dtype": dtype}, folders)
    tokenizer = load_tokenizer(model)
    causal = load_model(model, torch.float32, torch.device("cpu"))
    if isinstance(causal, PeftModel):
        raise InputError(
            model,
            expected="an adapter that can be merged",
            found="another kind",
            remedy="merge it into its base with the library that made it",
        )
    weight, bias = head_of(causal, step_candidates(tokenizer))
    classifier = token_classifier(causal, weight, bias).to(getattr(torch, dtype))
    with whole_model(output, CLASSIFIER, origin) as part:
        classifier.save_pretrained(part, max_shard_size="1TB")
        tokenizer.save_pretrained(part)
        write_learned(part, (), model)
    logger.info("exported %s as %s, in %s", model, type(classifier).__name__, dtype)


def head_of(causal: PreTrainedModel, candidates: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The rows of the output layer for two tokens: weight [2, hidden size] and bias [2], zero if there is none.

    Raises:
        InputError: the model transforms the output layer's logits.
    """
    layer: Any = output_layer(causal)
    rows = list(candidates)
    bias = torch.zeros(2) if layer.bias is None else layer.bias[rows]
    return layer.weight[rows].detach().clone(), bias.detach().clone()


def token_classifier(causal: PreTrainedModel, weight: Tensor, bias: Tensor) -> PreTrainedModel:
    """A token classifier with the decoder of a causal language model, which it shares.

    Raises:
        InputError: as `classifiers.with_head`.
    """
    config = copy.deepcopy(causal.config)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: number for number, label in enumerate(LABELS)}
    remedy = "merge it instead; vLLM serves merged models with `classifier_from_token`"
    head, trunk = LinearWeights(weight, bias), causal.get_decoder()
    trunk.name_or_path = causal.name_or_path
    return with_head(AutoModelForTokenClassification, config, trunk, head, remedy)
