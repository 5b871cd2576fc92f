"""Discriminative reward models: rewards are read off the network, such as its probability that a step is correct.

Get rewards of a question and its steps:

    model = load_discriminative("results/models/dPRM-mini/adapter")
    [found] = model.score([Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is 5."))])
    found.rewards

Other people's models need their format, such as `asked=read_format(FormatName.QWEN_PRM)`.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.limits import context_length
from multirm.models.batching import TOKENS_AT_ONCE
from multirm.models.dtype import Dtype
from multirm.models.flops import DecoderFlops
from multirm.models.folders import fetch_model
from multirm.models.load import (
    default_device,
    dtype_of,
    load_in_turn,
    load_model,
    load_tokenizer,
    sources_of,
)
from multirm.models.packing import attend_in_packs
from multirm.models.trunks import load_trunk
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.formats import Format, LayerHead, RatioHead, TokenHead
from multirm.reward_models.heads import Head, layer_head, token_head
from multirm.reward_models.layouts import EncodedText, Encoder
from multirm.reward_models.log_ratio import LogRatioModel
from multirm.reward_models.packs import read_in_packs
from multirm.reward_models.prefixes import PrefixModel
from multirm.reward_models.reading import rewards_at
from multirm.running.provenance import CLASSIFIER, made_as
from multirm.tables.rewards import Scale, Unit
from multirm.text.encoding import STEP_TOKENS, encode_solution

"""Approximate number of tokens in a batch by type of device; more do not fit into a CPU's caches."""

Encode = Callable[[Solution], EncodedText]


def load_discriminative(
    model: str | Path,
    dtype: Dtype = Dtype.AUTO,
    batch_tokens: int | None = None,
    asked: Format | None = None,
    reference: str | None = None,
) -> "DiscriminativeModel | PrefixModel | LogRatioModel":
    """Load a discriminative reward model on the first GPU, or on the CPU if there is none.

    Args:
        model: folder of an adapter or of a whole model, or a hub name.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU.
        batch_tokens: as of `DiscriminativeModel`.
        asked: its format; by default, that of dORM and dPRM.
        reference: folder or hub name of the reference model of a format with one; by default, the format's.

    Raises:
        InputError: `load_model`, `load_trunk`, `Encoder`, a head or `DiscriminativeModel` refuses the model.
    """
    name, precision = str(model), dtype_of(dtype, default_device())
    tokenizer = load_tokenizer(name)
    if asked is None and is_exported(name):
        return exported(name, tokenizer, precision, batch_tokens)
    if asked is None:
        return multi_rm(load_model(name, precision), tokenizer, batch_tokens)
    return of_format(name, tokenizer, precision, asked, batch_tokens, reference)


def of_format(
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    precision: torch.dtype,
    asked: Format,
    batch_tokens: int | None = None,
    reference: str | None = None,
) -> "DiscriminativeModel | PrefixModel | LogRatioModel":
    """Load other people's model with its tokenizer; see `load_discriminative`."""
    encode: Encode = Encoder(asked.layout, tokenizer).encode
    head: Head
    match asked.head:
        case TokenHead():
            network, head = load_model(name, precision), token_head(tokenizer, asked.head)
        case LayerHead():
            network, layers = load_trunk(name, asked.head.layers, precision)
            head = layer_head(layers, asked.head, name)
            if asked.layout.read == "end":
                encode = at_last_token(encode, network.config.pad_token_id)
            if asked.reads_prefixes:
                at_once = batch_tokens or default_batch()
                return PrefixModel(network, encode, head, asked.scale, at_once)
        case RatioHead():
            compared = load_model(reference or asked.head.reference, precision)
            network = load_model(name, precision)
            at_once = batch_tokens or default_batch()
            return LogRatioModel(network, compared, encode, asked.head.beta, at_once)
    return DiscriminativeModel(network, encode, head, asked.unit, asked.scale, batch_tokens)


def sources_with_reference(
    model: str, asked: Format | None, reference: str | None
) -> tuple[list[str], list[Path]]:
    """What a model consists of, as `sources_of`, together with the reference model of a format that has one."""
    names, folders = sources_of(model)
    if asked is not None and isinstance(asked.head, RatioHead):
        of_reference, further = sources_of(reference or asked.head.reference)
        names, folders = names + of_reference, folders + further
    return names, folders


def load_discriminative_in_turn(
    models: Sequence[str], dtype: Dtype = Dtype.AUTO, batch_tokens: int | None = None
) -> Iterator["DiscriminativeModel"]:
    """Load dORMs and dPRMs one after the other; consecutive adapters share a loaded base.

    A model is valid only until the next one is requested.
    """
    networks = load_in_turn(
        [name for name in models if not is_exported(name)], dtype_of(dtype, default_device())
    )
    for name in models:
        tokenizer = load_tokenizer(name)
        if is_exported(name):
            yield exported(name, tokenizer, dtype_of(dtype, default_device()), batch_tokens)
        else:
            # Keep no reference to a network while the next one is loaded: memory may be too small for two.
            yield multi_rm(next(networks), tokenizer, batch_tokens)


def at_last_token(encode: Encode, padding: int | None) -> Encode:
    """Read at the last token that is not the model's padding, which may also be the one that ends a turn.

    So do the sequence classifiers of transformers, whatever is padded.
    """

    def encode_and_step_back(solution: Solution) -> EncodedText:
        text = encode(solution)
        place = text.places[0]
        while place and text.ids[place] == padding:
            place -= 1
        return replace(text, places=[place])

    return encode_and_step_back


def multi_rm(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_tokens: int | None = None
) -> "DiscriminativeModel":
    """A dORM or dPRM (Multi-RM, arXiv 2510.00492): P(correct) at each step. A dORM was trained on the last one's.

    Raises:
        InputError: as `DiscriminativeModel`, or the tokenizer lacks a token.
    """

    head = token_head(tokenizer, TokenHead(tokens=STEP_TOKENS))
    encode = multi_rm_encoding(tokenizer)
    return DiscriminativeModel(network, encode, head, Unit.STEP, Scale.PROBABILITY, batch_tokens)


def multi_rm_encoding(tokenizer: PreTrainedTokenizerBase) -> Encode:
    """The encoding of dORMs and dPRMs, with the places of their rewards."""

    def encode(solution: Solution) -> EncodedText:
        encoded = encode_solution(tokenizer, solution.question, solution.steps)
        return EncodedText(encoded.ids, [*encoded.step_ends])

    return encode


EXPORTED_HEAD = LayerHead(layers=("score",), activation="softmax", plus=(1,))
"""Of a dORM or dPRM that was exported as a token classifier."""


def is_exported(model: str) -> bool:
    """Whether a model folder or hub name is a dORM or dPRM that multirm exported as a token classifier."""
    return made_as(fetch_model(model, weights=False)) == CLASSIFIER


def exported(
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    precision: torch.dtype,
    batch_tokens: int | None = None,
) -> "DiscriminativeModel":
    """A dORM or dPRM that was exported as a token classifier.

    Raises:
        InputError: as `load_trunk`, `layer_head` and `DiscriminativeModel`.
    """
    network, layers = load_trunk(name, EXPORTED_HEAD.layers, precision)
    head, encode = layer_head(layers, EXPORTED_HEAD, name), multi_rm_encoding(tokenizer)
    return DiscriminativeModel(network, encode, head, Unit.STEP, Scale.PROBABILITY, batch_tokens)


def default_batch() -> int:
    """The approximate number of tokens in a batch on this machine."""
    return TOKENS_AT_ONCE[default_device().type]


class DiscriminativeModel(RewardModel):
    """A network with a head, ready to score.

    A solution's rewards do not depend on the other solutions, up to rounding (1e-5 in float32). The reward of a step
    depends only on the question and the steps up to it, so the rewards of a solution's first steps are the first of
    its rewards.

    Common prefixes of the solutions of one call are encoded once. Nothing is cached between calls: a solution with one
    more step is encoded again as a whole, unless a `CachedReader` reads it.

    Args:
        network: a decoder in evaluation mode, with or without an adapter. It is changed to accept only packed input.
        encode: gives a solution's token ids, and the places of its rewards.
        head: computes rewards from the network's last hidden states.
        unit, scale: what a reward refers to, and what kind of number it is.
        batch_tokens: approximate number of tokens in a batch. It affects speed and memory, not rewards;
            `TOKENS_AT_ONCE` by default.

    Raises:
        InputError: the network does not support packed input.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        encode: Encode,
        head: Head,
        unit: Unit,
        scale: Scale,
        batch_tokens: int | None = None,
    ) -> None:
        attend_in_packs(network)
        self.network, self.head, self._encode = network, head, encode
        self.batch_tokens = batch_tokens or default_batch()
        self.unit, self.scale = unit, scale
        self.flops = DecoderFlops.of(network.config)
        self.max_tokens = context_length(network.config)
        """The length of the network's context; None if its configuration does not tell."""

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions, pack by pack; see `packs.read_in_packs`.

        Yields:
            rewards by the positions of their solutions: one per step, or one of the solution.
        """
        return read_in_packs(
            solutions, self._encode, self._read, self.max_tokens, self.batch_tokens, done
        )

    def texts(self, solution: Solution) -> list[EncodedText]:
        """The one text that is read of a solution."""
        return [self._encode(solution)]

    def _read(self, texts: Sequence[EncodedText]) -> list[Rewards]:
        found = rewards_at(self.network, self.head, texts)
        return [
            Rewards(tuple(rewards), len(text.ids), 0, self._operations(len(text.ids)), False)
            for text, rewards in zip(texts, found, strict=True)
        ]

    def _operations(self, n_read: int) -> float | None:
        return None if self.flops is None else self.flops.reading(n_read)
