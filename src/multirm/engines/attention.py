"""Grouped-query attention of single queries, without a copy of keys and values per query head.

transformers repeats keys and values for the heads that share them whenever a batch is padded; while
decoding, that copy costs more than the attention itself.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from multirm.models.cpu import products_of_any_shape

_NAME = "sdpa_grouped"


def attend_in_groups(model: PreTrainedModel) -> None:
    """Make `model` decode this way, if its attention is PyTorch's `scaled_dot_product_attention`.

    That has no soft cap on its scores, which Gemma 2 has and transformers drops: such a model is computed
    step by step.
    """
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None) is not None:
        model.set_attn_implementation("eager")
    elif model.config._attn_implementation == "sdpa":
        AttentionInterface.register(_NAME, grouped_attention)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.set_attn_implementation(_NAME)


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """As `sdpa_attention_forward`, with the heads of a group as the queries of one head.

    Args:
        query: (rows, heads, queries, width).
        key: (rows, groups, length, width); `value` likewise.
        attention_mask: (rows, 1, queries, length), or None if nothing is masked.

    Returns:
        (rows, queries, heads, width), and None for the weights, which are not kept.
    """
    rows, heads, n_queries, width = query.shape
    groups = key.shape[1]
    if n_queries > 1 or heads == groups or settings.get("position_bias") is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **settings
        )
    with products_of_any_shape(query.device):
        attended = scaled_dot_product_attention(
            query.view(rows, groups, heads // groups, width),
            key,
            value,
            attn_mask=attention_mask,
            dropout_p=dropout,
            scale=scaling,
        )
    return attended.reshape(rows, 1, heads, width), None
