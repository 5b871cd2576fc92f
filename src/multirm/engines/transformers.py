"""The engine that needs nothing but transformers: prompts in batches of like lengths, decoded together.

It has a decoding loop of its own, and does not call `model.generate`, because three things are cheap
only inside the loop: the samples of a prompt share the reading of it, rows that are done leave the batch,
and every row draws from the random numbers of its own item.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.attention import attend_in_groups
from multirm.engines.base import Completed, Completion, Key, Prompt, Sampling
from multirm.engines.decoding import Decoding
from multirm.engines.limits import context_length, end_tokens, token_limit
from multirm.engines.sampling import draw
from multirm.models.batching import batches
from multirm.running.randomness import item_generator

# The share of a batch's rows that may be done before they are taken out, which costs a copy of the cache.
_IDLE_SHARE = 0.2


class TransformersEngine:
    """Implements `engines.base.Engine` over a causal language model.

    Samples do not depend on batches beyond the rounding of the model's own arithmetic: a draw changes
    where its random number falls within that rounding of the edge between two tokens. In fp32 (1e-6) that
    is as good as never; in bf16, or where fp32 is multiplied as TF32, it changes texts, and samples are not
    promised.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        batch_tokens: int = 65536,
    ) -> None:
        """
        Args:
            model: in evaluation mode, on the device it is to run on.
            tokenizer: decodes the completions.
            batch_tokens: how many tokens a batch may come to: prompts, samples and padding together. A
                single sample may come to more.
        """
        self.reproducible = (
            model.dtype == torch.float32 and torch.get_float32_matmul_precision() == "highest"
        )
        attend_in_groups(model)
        self._model = model
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens
        self._context = context_length(model.config)
        self._ends = torch.tensor(
            end_tokens(model.generation_config, tokenizer), device=model.device
        )

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        watch: Sequence[int],
        seed: int,
        done: Collection[Key] = (),
    ) -> Iterator[list[Completed]]:
        """See `engines.base.Engine`; prompts that are decoded together are yielded together.

        A prompt after which the model's context has room for fewer than `sampling.max_tokens` tokens is
        continued as far as there is room, and its completions are marked as truncated.
        """
        nothing = [Completion([], "", {}, truncated=True)] * sampling.n
        left = [prompt for prompt in prompts if prompt.key not in done]
        yield [(prompt, nothing) for prompt in left if not self._limit(prompt, sampling)]
        fitting = [prompt for prompt in prompts if self._limit(prompt, sampling)]
        sizes = [sampling.n * (len(prompt.ids) + sampling.max_tokens) for prompt in fitting]
        for indices in batches(sizes, self._batch_tokens):
            batch = [fitting[index] for index in indices]
            if not all(prompt.key in done for prompt in batch):
                goes = [
                    self._complete(batch, part, watch, seed)
                    for part in self._parts(sampling, max(sizes[index] for index in indices))
                ]
                yield [
                    (prompt, [one for completions in parts for one in completions])
                    for prompt, *parts in zip(batch, *goes, strict=True)
                ]

    def _limit(self, prompt: Prompt, sampling: Sampling) -> int:
        return token_limit(prompt, sampling, self._context)

    def _parts(self, sampling: Sampling, size: int) -> Iterator[Sampling]:
        """The samples of a prompt, of `size` tokens together, in as few parts as fit into a batch."""
        room = max(1, self._batch_tokens * sampling.n // size)
        for k in range(0, sampling.n, room):
            yield replace(sampling, first=sampling.first + k, n=min(room, sampling.n - k))

    @torch.inference_mode()
    def _complete(
        self, batch: Sequence[Prompt], sampling: Sampling, watch: Sequence[int], seed: int
    ) -> list[list[Completion]]:
        n, device = sampling.n, self._model.device
        numbers = range(sampling.first, sampling.first + n)
        samples = [(prompt, i) for prompt in batch for i in numbers]
        limits = torch.tensor([self._limit(prompt, sampling) for prompt, _ in samples])
        longest = int(limits.max())
        uniforms = torch.stack(
            [
                torch.from_numpy(item_generator(seed, *prompt.key, i).random(longest))
                for prompt, i in samples
            ]
        ).to(device)
        ids = torch.zeros(len(samples), longest, dtype=torch.long, device=device)
        watched = torch.zeros(len(samples), longest, len(watch), device=device)
        lengths = limits.clone().to(device)

        decoding = Decoding(self._model, [prompt.ids for prompt in batch], int(self._ends[0]))
        decoding.repeat(n)
        rows = torch.arange(len(samples), device=device)
        for position in range(longest):
            drawn = draw(decoding.logits, uniforms[rows, position], sampling)
            ids[rows, position] = drawn
            watched[rows, position] = _log_probabilities(decoding.logits, watch)
            ended = torch.isin(drawn, self._ends) & (lengths[rows] > position)
            lengths[rows[ended]] = position
            running = lengths[rows] > position + 1
            n_running = int(running.sum())
            if n_running == 0:
                break
            if n_running < (1 - _IDLE_SHARE) * len(rows):
                keep = running.nonzero()[:, 0]
                decoding.select(keep)
                rows, drawn = rows[keep], drawn[keep]
            decoding.step(drawn)

        completions = self._completions(ids, watched, lengths.cpu(), limits, watch)
        return [completions[k : k + n] for k in range(0, len(completions), n)]

    def _completions(
        self, ids: Tensor, watched: Tensor, lengths: Tensor, limits: Tensor, watch: Sequence[int]
    ) -> list[Completion]:
        kept = [row[:length] for row, length in zip(ids.tolist(), lengths.tolist(), strict=True)]
        texts = self._tokenizer.batch_decode(kept, clean_up_tokenization_spaces=False)
        return [
            Completion(
                row,
                text,
                {k: tuple(seen[k].tolist()) for k, drawn in enumerate(row) if drawn in watch},
                truncated,
            )
            for row, text, seen, truncated in zip(
                kept, texts, watched.cpu(), (lengths == limits).tolist(), strict=True
            )
        ]


def _log_probabilities(logits: Tensor, watch: Sequence[int]) -> Tensor:
    """(rows, watched) natural-log probabilities of the watched tokens."""
    logits = logits.float()
    return logits[:, list(watch)] - logits.logsumexp(dim=-1, keepdim=True)
