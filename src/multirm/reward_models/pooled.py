"""Discriminative reward models whose decoder and head run in vLLM, as classifiers of tokens.

Texts, places of rewards and activations are those of `discriminative`: vLLM returns the head's raw outputs at every
token, and rewards are computed from those at the places. vLLM serves one linear layer over any of its decoders, with
weights named `score` or taken from the output layer, and the two layers of Qwen2.5-Math-PRM.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from multirm.engines.limits import context_length
from multirm.engines.vllm_adapters import adapted_weights
from multirm.engines.vllm_folders import (
    ModelFolders,
    output_names,
    output_rows,
    write_classifier,
)
from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.flops import DecoderFlops
from multirm.models.load import default_device, dtype_of, load_tokenizer, read_weights
from multirm.models.trunks import load_trunk
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.discriminative import (
    EXPORTED_HEAD,
    Encode,
    at_last_token,
    is_exported,
    multi_rm_encoding,
)
from multirm.reward_models.formats import (
    TWO_SCORES,
    Format,
    LayerHead,
    RatioHead,
    TokenHead,
)
from multirm.reward_models.heads import layer_rewards, require_outputs, token_rewards
from multirm.reward_models.layouts import EncodedText, Encoder, warn_of_texts
from multirm.reward_models.packs import too_long, without_rewards
from multirm.tables.rewards import Scale, Unit
from multirm.text.encoding import STEP_TOKENS, single_token

_META = torch.device("meta")

# The class in vLLM whose head is two layers with a ReLU between them, by the model type.
_TWO_LAYERED = {"qwen2": "Qwen2ForProcessRewardModel"}

Activation = Callable[[Tensor], Tensor]
"""Rewards, float32 [positions], from raw outputs, float32 [positions, outputs]."""


class Classifier(Protocol):
    """Something that computes raw outputs at the tokens of texts, as `engines.vllm_classifier.VllmClassifier`."""

    def read(
        self, texts: Iterable[tuple[int, list[int]]], at_end: bool
    ) -> Iterator[dict[int, Tensor]]: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Served:
    """A model in a folder for vLLM: the decoder's configuration, and what makes rewards of outputs."""

    config: PreTrainedConfig
    rewards_of: Activation


def load_pooled(model: str | Path, dtype: Dtype, asked: Format | None = None) -> "PooledModel":
    """Load a discriminative reward model into vLLM.

    Args:
        model: folder of an adapter or of a whole model, or a hub name.
        dtype: precision of the decoder; an adapter needs float32.
        asked: its format; by default, that of dORM and dPRM.

    Raises:
        InputError: vLLM cannot serve the model or its head, or what `load_discriminative` refuses.
    """
    name, precision = str(model), dtype_of(dtype, default_device())
    files, tokenizer = ModelFolders.of(name), load_tokenizer(name)
    head = _head_of(name, asked)
    _require_exact(files, head, precision)
    encode, unit, scale = multi_rm_encoding(tokenizer), Unit.STEP, Scale.PROBABILITY
    if asked is not None:
        encode, unit, scale = Encoder(asked.layout, tokenizer).encode, asked.unit, asked.scale
    # Needed only until vLLM has loaded the weights.
    with TemporaryDirectory() as folder:
        if isinstance(head, TokenHead):
            served = _serve_tokens(files, head, tokenizer, Path(folder))
        else:
            served = _serve_layers(files, head, Path(folder))
        # Installed only in an environment of its own.
        from multirm.engines.vllm_classifier import VllmClassifier

        classifier = VllmClassifier(files, Path(folder), served.config, precision)
    if unit is Unit.SOLUTION:
        encode = at_last_token(encode, served.config.pad_token_id)
    return PooledModel(classifier, encode, served, unit, scale)


def load_pooled_in_turn(
    models: Sequence[str], dtype: Dtype, asked: Format | None = None
) -> Iterator["PooledModel"]:
    """Load models one after the other; see `load_pooled`. A model is stopped when the next one is requested."""
    for name in models:
        model = load_pooled(name, dtype, asked)
        try:
            yield model
        finally:
            model.stop()


def _head_of(name: str, asked: Format | None) -> TokenHead | LayerHead:
    if asked is None:
        return EXPORTED_HEAD if is_exported(name) else TokenHead(tokens=STEP_TOKENS)
    head = asked.head
    if isinstance(head, RatioHead) or not asked.is_of_vllm:
        raise _unserved(name, f"that of the format {asked.name}")
    return head


def _require_exact(files: ModelFolders, head: TokenHead | LayerHead, dtype: torch.dtype) -> None:
    """Refuse adapters that vLLM would round, and those of models with a head of their own."""
    if files.adapter is None:
        return
    if isinstance(head, LayerHead):
        raise InputError(
            files.name,
            expected="a whole model",
            found="an adapter",
            remedy="merge it into its base with the library that made it",
        )
    if dtype is not torch.float32:
        raise InputError(
            files.name,
            expected="an adapter in float32, because vLLM rounds what an adapter adds",
            found=str(dtype).removeprefix("torch."),
            remedy="add --dtype float32, or use the engine transformers",
        )


def _serve_tokens(
    files: ModelFolders, head: TokenHead, tokenizer: PreTrainedTokenizerBase, to: Path
) -> Served:
    """Write a causal language model for vLLM, with two rows of its output layer as the head."""
    tokens = [single_token(tokenizer, text) for text in head.tokens]
    causal = read_weights(files.whole, "auto", _META)
    if files.adapter and (both := adapted_weights(files.adapter) & output_names(causal)):
        raise _unserved(files.name, f"an adapter of {min(both)}, its output layer")
    rows = output_rows(files.whole, causal, tokens)
    write_classifier(files.whole, to, type(causal).__name__, len(tokens), rows)
    return Served(causal.config, token_rewards)


def _serve_layers(files: ModelFolders, head: LayerHead, to: Path) -> Served:
    """Write a decoder for vLLM with the head that is among its weights."""
    trunk, layers = load_trunk(files.name, head.layers, torch.float32, _META)
    config, n_outputs = trunk.config, len(layers[head.layers[-1]].weight)
    require_outputs(head, n_outputs, files.name)
    architecture = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    if head.layers == TWO_SCORES:
        # The class has two outputs, whatever the configuration says.
        architecture = _TWO_LAYERED.get(config.model_type) if n_outputs == 2 else None
    if architecture is None:
        raise _unserved(files.name, f"{' and '.join(head.layers)} of a {config.model_type}")
    write_classifier(files.whole, to, architecture, n_outputs, {})
    return Served(config, lambda outputs: layer_rewards(head, outputs))


def _unserved(name: str, found: str) -> InputError:
    return InputError(
        name,
        expected="a head that vLLM serves: a layer named score, two tokens of the output layer, or Qwen2's two layers",
        found=found,
        remedy="use the engine transformers",
    )


class PooledModel(RewardModel):
    """A reward model that runs in vLLM, ready to score.

    Rewards are those of `DiscriminativeModel`, up to rounding (1e-4 in float32).

    Args:
        classifier: the running model.
        encode: gives a solution's token ids, and the places of its rewards.
        served: the decoder's configuration and the activation.
        unit, scale: what a reward refers to, and what kind of number it is.
    """

    def __init__(
        self,
        classifier: Classifier,
        encode: Encode,
        served: Served,
        unit: Unit,
        scale: Scale,
    ) -> None:
        self._classifier, self._encode = classifier, encode
        self._rewards_of, self._flops = served.rewards_of, DecoderFlops.of(served.config)
        self.max_tokens = context_length(served.config)
        """The length of the decoder's context; None if its configuration does not tell."""
        self.unit, self.scale = unit, scale

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions; those longer than the context come first, with null rewards and `truncated`.

        Yields:
            rewards by the positions of their solutions, about once a second: one per step, or one of the solution.
        """
        encoded = [self._encode(solution) for solution in solutions]
        warn_of_texts(encoded)
        over = too_long(encoded, self.max_tokens)
        left = [position for position in range(len(encoded)) if position not in done]
        unread = [at for at in left if at not in over and _last_place(encoded[at]) is None]
        missing = {at: without_rewards(encoded[at]) for at in left if at in over}
        missing |= {at: self._rewards(encoded[at], []) for at in unread}
        if missing:
            yield missing
        # Text after the last place has no effect.
        texts = (
            (at, encoded[at].ids[: last + 1])
            for at in left
            if at not in over and (last := _last_place(encoded[at])) is not None
        )
        at_end = self.unit is Unit.SOLUTION
        for batch in self._classifier.read(texts, at_end):
            found = {}
            for at, outputs in batch.items():
                places = [place for place in encoded[at].places if place is not None]
                read = outputs if at_end else outputs[places]
                found[at] = self._rewards(encoded[at], self._rewards_of(read).tolist())
            yield found

    def texts(self, solution: Solution) -> list[EncodedText]:
        """The one text that is read of a solution."""
        return [self._encode(solution)]

    def _rewards(self, text: EncodedText, read: Sequence[float]) -> Rewards:
        """The rewards of a text from those that were read, in order."""
        values = iter(read)
        rewards = tuple(None if place is None else next(values) for place in text.places)
        n_read = len(text.ids)
        flops = None if self._flops is None else self._flops.reading(n_read)
        return Rewards(rewards, n_read, 0, flops, truncated=False)

    def stop(self) -> None:
        """End vLLM's processes and free its memory."""
        self._classifier.stop()


def _last_place(text: EncodedText) -> int | None:
    return max((place for place in text.places if place is not None), default=None)
