"""The engine that needs only transformers: it decodes prompts of similar length in batches.

It has its own decoding loop instead of `model.generate`, because five things are cheap only inside the loop: the
samples of a prompt share its prefill, prompts share the prefill of what they start with (such as a question or worked
examples), prompts that continue earlier ones are computed from there on, finished rows leave the batch, and each row
has its item's random numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.attention import attend_in_groups
from multirm.engines.base import Completed, Completion, Prompt, Request, Sampling, TokenCounts
from multirm.engines.decoding import Decoding
from multirm.engines.limits import cache_bytes, context_length, end_tokens, token_limit
from multirm.engines.sampling import draw
from multirm.engines.stops import StopSearch, completion_of
from multirm.models.batching import batches
from multirm.models.cpu import is_exact
from multirm.models.packing import n_shared
from multirm.models.prefix_cache import PrefixCache, room_for_cache
from multirm.models.prefix_reading import can_read_on, read_texts
from multirm.running.randomness import item_generator

# The fraction of a batch's rows that may be finished before they are removed, which costs a copy of the cache.
_IDLE_SHARE = 0.2
# What all prompts have in common is computed once if it has at least this many tokens: below, that saves little.
_SHARED_TOKENS = 64
# A batch has at most so many tokens, and on a CPU so many bytes of keys and values.
_BATCH_TOKENS = 65536
_BATCH_BYTES = 2**31


class _Part(NamedTuple):
    """Some completions of a prompt, and the number of its tokens that were computed for them."""

    completions: list[Completion]
    n_computed: int


class TransformersEngine:
    """Implements `engines.base.Engine` over a causal language model.

    Samples depend on the batch only through rounding: a draw changes if its random number is within the rounding
    error of the boundary between two tokens. In fp32 this is rare (of real models about once in thousands of tokens);
    in bf16 or TF32 it is common, and samples are not guaranteed to be reproducible.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        batch_tokens: int | None = None,
    ) -> None:
        """
        Args:
            model: in evaluation mode, on its device.
            tokenizer: the model's tokenizer, to decode completions.
            batch_tokens: maximum number of tokens in a batch, with prompts, samples and padding. A single sample
                may have more. By default 65,536, and on a CPU what 2 GiB of keys and values has room for if that is
                less.
        """
        self.reproducible = is_exact(model)
        attend_in_groups(model)
        self._model = model
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens or _default_batch(model)
        self._reads_on = can_read_on(model)
        # What requests that are continued have read.
        self._cache: PrefixCache | None = None
        self._context = context_length(model.config)
        self._ends = torch.tensor(
            end_tokens(model.generation_config, tokenizer), device=model.device
        )

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """See `engines.base.Engine`; the prompts of a batch are yielded together.

        If the model's context has no room for `sampling.max_tokens` tokens after a prompt, completions end with the
        context, and are truncated.
        """
        sampling, known = request.sampling, self._cache_for(request)
        yield [
            Completed.without_room(prompt, sampling)
            for prompt in request.left
            if not self._limit(prompt, sampling)
        ]
        fitting = [prompt for prompt in request.prompts if self._limit(prompt, sampling)]
        sizes = [sampling.n * (len(prompt.ids) + sampling.max_tokens) for prompt in fitting]
        n_opening = 0 if known is None or request.is_continued else _count_shared(fitting)
        for indices in batches(sizes, self._batch_tokens):
            batch = [fitting[index] for index in indices]
            if not all(prompt.key in request.done for prompt in batch):
                parts = self._parts(sampling, max(sizes[index] for index in indices))
                n_new = 0
                if n_opening and known is not None:
                    self._open(batch[0].ids[:n_opening], known)
                    n_new, n_opening = n_opening, 0
                goes = [self._complete(batch, request, part, known) for part in parts]
                completed = [
                    _together(prompt, *of)
                    for prompt, *of in zip(batch, *goes, strict=True)
                    if prompt.key not in request.done
                ]
                yield [_with_computed(completed[0], n_new), *completed[1:]]

    def _cache_for(self, request: Request) -> PrefixCache | None:
        """The keys and values to begin with; None if the model cannot be read on."""
        if not self._reads_on:
            return None
        if not request.is_continued:
            return PrefixCache(0)
        if self._cache is None:
            self._cache = PrefixCache(room_for_cache(self._model.device))
        return self._cache

    def _limit(self, prompt: Prompt, sampling: Sampling) -> int:
        return token_limit(prompt, sampling, self._context)

    def _open(self, ids: Sequence[int], known: PrefixCache) -> None:
        """Read what all prompts begin with, and keep it until the end of the request."""
        read_texts(self._model, known, [ids], [[len(ids) - 1]])
        known.hold()

    def _parts(self, sampling: Sampling, size: int) -> Iterator[Sampling]:
        """Split the samples of a prompt, `size` tokens in all, into as few parts as possible that fit into a batch."""
        room = max(1, self._batch_tokens * sampling.n // size)
        for k in range(0, sampling.n, room):
            yield replace(sampling, first=sampling.first + k, n=min(room, sampling.n - k))

    @torch.inference_mode()
    def _complete(
        self,
        batch: Sequence[Prompt],
        request: Request,
        part: Sampling,
        known: PrefixCache | None,
    ) -> list[_Part]:
        """Draw some samples of each prompt, after one prefill of the whole batch."""
        device = self._model.device
        numbers = range(part.first, part.first + part.n)
        limits = torch.tensor([self._limit(prompt, part) for prompt in batch for _ in numbers])
        uniforms = torch.stack(
            [
                torch.from_numpy(
                    item_generator(request.seed, *prompt.key, i).random(int(limits.max()))
                )
                for prompt in batch
                for i in numbers
            ]
        ).to(device)
        samples = _Samples(self._tokenizer, self._ends, limits, request)
        texts = [prompt.ids for prompt in batch]
        decoding = Decoding(self._model, texts, part.n, int(self._ends[0]), known)
        n_computed = decoding.n_computed
        kept = known if request.is_continued else None
        if known is not None and kept is None:
            known.trim()
        rows = torch.arange(len(limits), device=device)
        for position in range(int(limits.max())):
            drawn = draw(decoding.logits, uniforms[rows, position], part)
            running = samples.add(rows, position, drawn, decoding.logits)
            n_running = int(running.sum())
            if n_running == 0:
                break
            if n_running < (1 - _IDLE_SHARE) * len(rows):
                if kept is not None:
                    decoding.keep(samples.read_texts(rows, texts), kept)
                keep = running.nonzero()[:, 0]
                decoding.select(keep)
                rows, drawn = rows[keep], drawn[keep]
            decoding.step(drawn)
        if kept is not None:
            decoding.keep(samples.read_texts(rows, texts), kept)
            kept.trim()
        completions = samples.completions()
        groups = range(0, len(completions), part.n)
        return [
            _Part(completions[k : k + part.n], n) for k, n in zip(groups, n_computed, strict=True)
        ]


def _default_batch(model: PreTrainedModel) -> int:
    """The maximum number of tokens in a batch."""
    of_token = cache_bytes(model.config, model.dtype)
    if model.device.type != "cpu" or not of_token:
        return _BATCH_TOKENS
    return min(_BATCH_TOKENS, _BATCH_BYTES // of_token)


def _count_shared(prompts: Sequence[Prompt]) -> int:
    """The number of first tokens that are computed once for all prompts; 0 if none are.

    It depends on all prompts, including those that are done, so that rounding stays the same.
    """
    if len(prompts) < 2:
        return 0
    texts = [prompt.ids for prompt in prompts]
    # What the first and the last in order have in common, all of them have.
    n_common = n_shared(min(texts), max(texts))
    # Each prompt keeps a token of its own, from which its first sample follows.
    most = min(n_common, min(map(len, texts)) - 1)
    return most if most >= _SHARED_TOKENS else 0


def _together(prompt: Prompt, *parts: _Part) -> Completed:
    """Put together the completions of a prompt. Each part had a prefill of its own."""
    completions = [one for part in parts for one in part.completions]
    generated = sum(one.n_drawn for one in completions)
    computed = sum(part.n_computed for part in parts)
    cached = len(parts) * len(prompt.ids) - computed
    return Completed(prompt, completions, TokenCounts(computed, cached, generated))


def _with_computed(completed: Completed, n_tokens: int) -> Completed:
    """Count tokens as computed, and not found in the cache, for the prompt that was read first."""
    counts = completed.tokens
    computed, cached = (counts.computed or 0) + n_tokens, (counts.cached or 0) - n_tokens
    return replace(completed, tokens=TokenCounts(computed, cached, counts.generated))


class _Samples:
    """The samples of a batch while they are drawn, one row each."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        ends: Tensor,
        limits: Tensor,
        request: Request,
    ) -> None:
        """
        Args:
            ends: ids of the tokens that end a text.
            limits: int (rows,), the maximum number of tokens of each.
        """
        shape, device = (len(limits), int(limits.max())), ends.device
        self._tokenizer, self._ends, self._limits = tokenizer, ends, limits
        self._watch, self._stop = request.watch, request.stop
        self._ids = torch.zeros(shape, dtype=torch.long, device=device)
        self._watched = torch.zeros(*shape, len(request.watch), device=device)
        self._lengths = limits.clone().to(device)
        self._stopped = set[int]()
        self._searches = (
            [StopSearch(tokenizer, request.stop) for _ in limits] if request.stop else []
        )

    def add(self, rows: Tensor, position: int, drawn: Tensor, logits: Tensor) -> Tensor:
        """Record one token of some rows. Rows that have ended may be among them; their tokens are ignored.

        Args:
            rows: int (some,), indices of the rows.
            position: the tokens' index in each sample.
            drawn: int (some,), ids of the tokens.
            logits: (some, vocabulary), the logits that they were drawn from.

        Returns:
            bool (some,): which of these rows continue.
        """
        self._ids[rows, position] = drawn
        self._watched[rows, position] = _log_probabilities(logits, self._watch)
        ended = torch.isin(drawn, self._ends) & (self._lengths[rows] > position)
        self._lengths[rows[ended]] = position
        if self._searches:
            going = rows[self._lengths[rows] > position]
            tokens = self._ids[going, position].tolist()
            for row, token in zip(going.tolist(), tokens, strict=True):
                if self._searches[row].add(token):
                    self._lengths[row] = position + 1
                    self._stopped.add(row)
        return self._lengths[rows] > position + 1

    def read_texts(self, rows: Tensor, prompts: Sequence[list[int]]) -> dict[int, list[int]]:
        """The prompts and tokens, but for the last one, of rows that ended at a stop string.

        Args:
            rows: int (some,), indices of rows.

        Returns:
            ids by the index among `rows`.
        """
        per_prompt = len(self._limits) // len(prompts)
        return {
            number: [
                *prompts[row // per_prompt],
                *self._ids[row, : self._lengths[row] - 1].tolist(),
            ]
            for number, row in enumerate(rows.tolist())
            if row in self._stopped
        }

    def completions(self) -> list[Completion]:
        lengths = self._lengths.cpu()
        truncated, watched = (lengths == self._limits).tolist(), self._watched.cpu()
        kept = [row[:n] for row, n in zip(self._ids.tolist(), lengths.tolist(), strict=True)]
        return [
            completion_of(
                self._tokenizer,
                ids,
                self._stop,
                {k: tuple(seen[k].tolist()) for k, token in enumerate(ids) if token in self._watch},
                cut,
            )
            for ids, seen, cut in zip(kept, watched, truncated, strict=True)
        ]


def _log_probabilities(logits: Tensor, watch: Sequence[int]) -> Tensor:
    """(rows, watched) natural-log probabilities of the watched tokens."""
    logits = logits.float()
    return logits[:, list(watch)] - logits.logsumexp(dim=-1, keepdim=True)
