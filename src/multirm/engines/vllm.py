"""The engine for GPUs, and for large jobs on CPUs: vLLM, with continuous batching.

vLLM runs in the job, not in a server. It always has more prompts than run at the same time, but never all of
them, so that memory does not grow with the number of prompts.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase
from vllm import RequestOutput, SamplingParams
from vllm.sampling_params import RequestOutputKind

from multirm.engines.base import (
    Completed,
    Completion,
    Key,
    Prompt,
    Request,
    Sampling,
    TokenCounts,
)
from multirm.engines.limits import context_length, end_tokens, generation_settings, token_limit
from multirm.engines.stops import StopSearch, completion_of
from multirm.engines.vllm_folders import ModelFolders
from multirm.engines.vllm_sampling import ItemDraws, drawn_from
from multirm.engines.vllm_start import RunningModel
from multirm.models.dtype import Dtype
from multirm.models.load import default_device, dtype_of, load_tokenizer, read_weights
from multirm.running.randomness import item_seed

SECONDS_BETWEEN_YIELDS = 1


class VllmEngine:
    """Implements `engines.base.Engine` over a model folder or hub name, or over an adapter and its base.

    On a CPU in fp32, samples are drawn as in the transformers engine, and are the same up to rounding. On a GPU in
    bf16, rounding depends on the batch and is large enough to change texts: samples have their own seeds, but are
    not guaranteed to be reproducible.
    """

    def __init__(self, model: str, dtype: Dtype = Dtype.AUTO) -> None:
        """
        Args:
            dtype: precision of the model.

        Raises:
            InputError: there is no model or tokenizer, it is not in safetensors, or vLLM cannot run it.
        """
        files = ModelFolders.of(model)
        config = read_weights(files.whole, "auto", torch.device("meta")).config
        self._tokenizer = load_tokenizer(model)
        self._ends = end_tokens(generation_settings(files.whole), self._tokenizer)
        self._context = context_length(config)
        device = default_device()
        precision, self._on_cpu = dtype_of(dtype, device), device.type == "cpu"
        self.reproducible = self._on_cpu and precision is torch.float32
        draws = {"logits_processors": [ItemDraws]} if self._on_cpu else {}
        self._running = RunningModel(files, config, precision, draws)
        self._engine = self._running.engine

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """See `engines.base.Engine`; yields about once a second.

        Raises:
            InputError: a text may become longer than the key-value cache.
        """
        sampling = request.sampling
        limits = {prompt.key: self._limit(prompt, sampling) for prompt in request.left}
        yield [
            Completed.without_room(prompt, sampling)
            for prompt in request.left
            if not limits[prompt.key]
        ]
        waiting = (
            _Sample(self._tokenizer, request, prompt, number)
            for prompt in request.left
            if limits[prompt.key]
            for number in range(sampling.first, sampling.first + sampling.n)
        )
        names = map(str, count())
        running: dict[str, _Sample] = {}
        finished: dict[Key, list[_Sample]] = defaultdict(list)
        ready: list[Completed] = []
        yielded = time.monotonic()
        try:
            while True:
                while len(running) < self._running.n_open and (sample := next(waiting, None)):
                    name = next(names)
                    self._add(name, sample, limits[sample.prompt.key])
                    running[name] = sample
                if not running:
                    break
                for sample in self._step(running):
                    finished[sample.prompt.key].append(sample)
                    if len(finished[sample.prompt.key]) == sampling.n:
                        ready.append(_completed(finished.pop(sample.prompt.key)))
                if ready and time.monotonic() - yielded >= SECONDS_BETWEEN_YIELDS:
                    yield ready
                    ready, yielded = [], time.monotonic()
            yield ready
        finally:
            self._engine.abort_request(list(running))

    def _step(self, running: dict[str, "_Sample"]) -> Iterator["_Sample"]:
        """Run one step of vLLM. Yields the samples that are complete, and removes them from `running`."""
        for output in self._engine.step():
            sample = running[output.request_id]
            if sample.add(output):
                del running[output.request_id]
                if not output.finished:
                    self._engine.abort_request([output.request_id])
                yield sample

    def _limit(self, prompt: Prompt, sampling: Sampling) -> int:
        limit = token_limit(prompt, sampling, self._context)
        if limit:
            self._running.require_room(", ".join(map(str, prompt.key)), len(prompt.ids) + limit)
        return limit

    def _add(self, name: str, sample: "_Sample", limit: int) -> None:
        """Start a sample in vLLM. Its outputs carry `name`."""
        request, prompt = sample.request, sample.prompt
        number = item_seed(request.seed, *prompt.key, sample.number)
        params = SamplingParams(
            **self._drawing(request.sampling, number),
            max_tokens=limit,
            ignore_eos=True,
            stop_token_ids=self._ends,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA if request.stop else RequestOutputKind.FINAL_ONLY,
            # Safe, because no other request shares these parameters.
            skip_clone=True,
            **_watching(request.watch),
        )
        self._running.add(name, prompt.ids, params)

    def _drawing(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        if sampling.temperature == 0:
            return {"temperature": 0.0}
        if self._on_cpu:
            return drawn_from(sampling, seed)
        return {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "seed": seed % 2**63,
        }


class _Sample:
    """A sample while it is generated. With stop strings, its tokens come one at a time, and are searched here.

    vLLM's own search would need a tokenizer that vLLM loads in its own way, and does not tell the position
    among the tokens.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, request: Request, prompt: Prompt, number: int
    ) -> None:
        self.request, self.prompt, self.number = request, prompt, number
        self.n_cached = 0
        self._tokenizer = tokenizer
        self._search = StopSearch(tokenizer, request.stop) if request.stop else None
        self._ids: list[int] = []
        self._watched: dict[int, tuple[float, ...]] = {}
        self._truncated = False

    def add(self, output: RequestOutput) -> bool:
        """Append the tokens of an output. Returns whether the sample is complete."""
        (new,) = output.outputs
        self.n_cached = output.num_cached_tokens or 0
        self._truncated = new.finish_reason == "length"
        tokens = list(new.token_ids)
        if new.finish_reason == "stop":
            tokens = tokens[:-1]
        for place, token in enumerate(tokens):
            if token in self.request.watch:
                seen = new.logprobs[place]
                self._watched[len(self._ids)] = tuple(
                    seen[each].logprob for each in self.request.watch
                )
            self._ids.append(token)
            if self._search and self._search.add(token):
                return True
        return output.finished

    def completion(self) -> Completion:
        return completion_of(
            self._tokenizer, self._ids, self.request.stop, self._watched, self._truncated
        )


def _completed(samples: list[_Sample]) -> Completed:
    """Put together all samples of a prompt. Each had a prefill of its own."""
    prompt = samples[0].prompt
    completions = [one.completion() for one in sorted(samples, key=lambda one: one.number)]
    cached = sum(one.n_cached for one in samples)
    computed = len(samples) * len(prompt.ids) - cached
    generated = sum(one.n_drawn for one in completions)
    return Completed(prompt, completions, TokenCounts(computed, cached, generated))


def _watching(watch: Sequence[int]) -> dict[str, Any]:
    """Sampling parameters for the log-probabilities of some tokens at every position."""
    if not watch:
        return {}
    tokens = list(dict.fromkeys(watch))
    return {"logprobs": len(tokens), "logprob_token_ids": tokens, "flat_logprobs": True}
