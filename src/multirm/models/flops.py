"""Estimate the floating-point operations of a decoder from its configuration and numbers of tokens.

The formula is that of Kaplan et al. 2020, "Scaling laws for neural language models" (arXiv 2001.08361, section 2.1):
for each token, two operations per weight of the linear layers, and per layer four times the width of attention for
each token that it attends to, itself included. Embeddings and norms are not counted; the output layer is, for tokens
that are generated. An adapter counts as merged into its base. Sliding windows are not taken into account.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING


@dataclass(frozen=True)
class DecoderFlops:
    """What the operations of a decoder depend on.

    Attributes:
        weights: number of weights of all layers' linear layers.
        attention: number of layers times width of attention, which is the number of heads times the size of one.
        output: number of weights of the output layer.
    """

    weights: int
    attention: int
    output: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> Self | None:
        """From the configuration of a causal language model, without its weights.

        Returns:
            None if the formula does not apply: it is another kind of model, not every token passes all weights (a
            mixture of experts), there are other layers than linear ones and attention (a state-space model), or
            attention has several widths (latent attention).
        """
        text = config.get_text_config()
        heads = getattr(text, "num_attention_heads", None)
        if not heads or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            return None
        if getattr(text, "qk_rope_head_dim", None):
            return None
        with torch.device("meta"):
            # A copy, since the attention is set in it.
            model = AutoModelForCausalLM.from_config(deepcopy(config), attn_implementation="eager")
        decoder = model.get_decoder()
        embeddings = {
            id(module.weight) for module in decoder.modules() if isinstance(module, nn.Embedding)
        }
        weights = [each for each in decoder.parameters() if id(each) not in embeddings]
        if any(each.ndim > 2 for each in weights):
            return None
        width = heads * (getattr(text, "head_dim", None) or text.hidden_size // heads)
        return cls(
            sum(each.numel() for each in weights if each.ndim == 2),
            text.num_hidden_layers * width,
            _numel(model.get_output_embeddings()),
        )

    def reading(self, n_tokens: int, n_before: int = 0) -> float:
        """Operations to read tokens that follow `n_before` others, which were read before."""
        attended = n_tokens * n_before + n_tokens * (n_tokens + 1) / 2
        return 2 * self.weights * n_tokens + 4 * self.attention * attended

    def generating(self, n_tokens: int, n_before: int) -> float:
        """Operations to generate tokens that follow `n_before` others, which were read before."""
        return self.reading(n_tokens, n_before) + 2 * self.output * n_tokens


def _numel(module: Any) -> int:
    return int(module.weight.numel())
