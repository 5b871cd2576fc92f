"""Heads of discriminative reward models: last hidden states go in, rewards come out."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.load import output_logits
from multirm.models.trunks import LinearWeights
from multirm.reward_models.formats import LayerHead, TokenHead
from multirm.text.encoding import single_token

Head = Callable[[PreTrainedModel, Tensor], Tensor]
"""Rewards, float32 [positions], from a network and last hidden states, float [positions, hidden size]."""


def token_head(tokenizer: PreTrainedTokenizerBase, asked: TokenHead) -> Head:
    """P(correct) / (P(incorrect) + P(correct)) of two tokens.

    Raises:
        InputError: a token's text is not a single token.
    """
    incorrect, correct = (single_token(tokenizer, text) for text in asked.tokens)

    def probability(network: PreTrainedModel, hidden: Tensor) -> Tensor:
        logits = output_logits(network, hidden, (incorrect, correct))
        return token_rewards(logits)

    return probability


def token_rewards(logits: Tensor) -> Tensor:
    """The second class's probability, float32 [positions], from logits [positions, 2]."""
    return logits.float().softmax(dim=-1)[:, 1]


def layer_head(layers: Mapping[str, LinearWeights], asked: LayerHead, name: str) -> Head:
    """What linear layers with a ReLU between them make of hidden states.

    Args:
        layers: the weights of the head's layers by their names.
        name: the model's name, for messages.

    Raises:
        InputError: the last layer has another number of outputs than the format.
    """
    chain = [layers[each] for each in asked.layers]
    require_outputs(asked, len(chain[-1].weight), name)

    def reward(network: PreTrainedModel, hidden: Tensor) -> Tensor:
        # In fp32: bf16 would round rewards to two digits.
        outputs = hidden.float()
        for number, layer in enumerate(chain):
            if number:
                outputs = functional.relu(outputs)
            outputs = functional.linear(outputs, layer.weight, layer.bias)
        return layer_rewards(asked, outputs)

    return reward


def require_outputs(asked: LayerHead, n_outputs: int, name: str) -> None:
    """Refuse a last layer with another number of outputs than the format's.

    Args:
        name: the model's name, for messages.

    Raises:
        InputError: says how many it has.
    """
    highest = max(*asked.plus, *asked.minus, 0)
    fits = n_outputs == 1 if asked.activation != "softmax" else n_outputs > highest
    if not fits:
        raise InputError(
            name,
            expected=f"{highest + 1} outputs of {asked.layers[-1]}",
            found=f"{n_outputs}",
            remedy="choose the format that the model was trained with",
        )


def layer_rewards(asked: LayerHead, outputs: Tensor) -> Tensor:
    """Rewards, float32 [positions], from the last layer's outputs, float32 [positions, outputs]."""
    if asked.activation == "softmax":
        outputs = outputs.softmax(dim=-1)
    elif asked.activation == "sigmoid":
        outputs = outputs.sigmoid()
    return _sum(outputs, asked.plus) - _sum(outputs, asked.minus)


def _sum(outputs: Tensor, columns: Sequence[int]) -> Tensor:
    return outputs[:, list(columns)].sum(dim=-1) if columns else torch.zeros(())
