"""The engine for GPUs, and for large jobs on CPUs: vLLM, with continuous batching.

vLLM runs in the job, not in a server. It always has more prompts than run at the same time, but never all of
them, so that memory does not grow with the number of prompts.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import torch
from transformers import PreTrainedTokenizerBase
from vllm import EngineArgs, RequestOutput, SamplingParams
from vllm.config.lora import MaxLoRARanks
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.llm_engine import LLMEngine
from vllm.v1.executor import Executor

from multirm.engines.base import (
    Completed,
    Completion,
    Key,
    Prompt,
    Request,
    Sampling,
    TokenCounts,
)
from multirm.engines.devices import split_over, threads_of_model
from multirm.engines.limits import context_length, end_tokens, generation_settings, token_limit
from multirm.engines.stops import StopSearch, completion_of
from multirm.engines.vllm_adapters import require_fit, write_uniform
from multirm.engines.vllm_sampling import ItemDraws, drawn_from
from multirm.errors import InputError
from multirm.models.adapters import is_adapter, require_own_base
from multirm.models.dtype import Dtype
from multirm.models.folders import fetch_model, require_safetensors
from multirm.models.load import base_of, default_device, dtype_of, load_tokenizer, read_weights
from multirm.running.randomness import item_seed

SECONDS_BETWEEN_YIELDS = 1

# Size of the key-value cache on a CPU. VLLM_CPU_KVCACHE_SPACE overrides it.
_CPU_CACHE_BYTES = 4 * 2**30

_ON_CPU: dict[str, Any] = {
    # Compilation takes longer than most jobs on a CPU.
    "enforce_eager": True,
    # The smallest: prefixes are cached in whole blocks.
    "block_size": 32,
    "kv_cache_memory_bytes": _CPU_CACHE_BYTES,
    "logits_processors": [ItemDraws],
}

_WAITING_PER_RUNNING = 2


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
        folder = fetch_model(model)
        self._adapter: LoRARequest | None = None
        adapted: dict[str, Any] = {}
        if is_adapter(folder):
            adapter, base = folder, base_of(folder)
            folder = fetch_model(base)
            require_safetensors(adapter)
            require_own_base(adapter, base, folder)
            require_fit(adapter, folder)
            # Kept as long as the engine, because vLLM may read it at any time.
            self._served = TemporaryDirectory()
            rank = write_uniform(adapter, Path(self._served.name))
            self._adapter = LoRARequest("adapter", 1, self._served.name)
            adapted = {"enable_lora": True, "max_lora_rank": _room_for_rank(adapter, rank)}
        require_safetensors(folder)
        model_config = read_weights(folder, "auto", torch.device("meta")).config
        self._tokenizer = load_tokenizer(model)
        self._ends = end_tokens(generation_settings(folder), self._tokenizer)
        self._context = context_length(model_config)
        device = default_device()
        self._on_cpu = device.type == "cpu"
        self.reproducible = self._on_cpu and dtype_of(dtype, device) is torch.float32
        if self._on_cpu:
            _stay_on_own_cores()
            here = _ON_CPU
        else:
            here = {
                "tensor_parallel_size": split_over(torch.cuda.device_count(), model, model_config)
            }
        try:
            self._engine = _start(folder, dtype_of(dtype, device), self._on_cpu, adapted | here)
            if self._adapter:
                self._engine.add_lora(self._adapter)
        # Errors of the model's processes are RuntimeErrors.
        except (ValueError, RuntimeError) as error:
            raise InputError(
                model, expected="a model that vLLM can run here", found=str(error)
            ) from error
        config = self._engine.vllm_config
        self._room = int(config.model_config.max_model_len)
        self._n_open = _WAITING_PER_RUNNING * int(config.scheduler_config.max_num_seqs)

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
                while len(running) < self._n_open and (sample := next(waiting, None)):
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
        if limit and len(prompt.ids) + limit > self._room:
            raise InputError(
                ", ".join(map(str, prompt.key)),
                expected=f"memory for {len(prompt.ids) + limit:,} tokens",
                found=f"room for {self._room:,}",
                remedy="use more or larger GPUs, or on a CPU set VLLM_CPU_KVCACHE_SPACE, in GiB",
            )
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
        inputs = tokens_input(prompt.ids)
        self._engine.add_request(name, inputs, params, lora_request=self._adapter)

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


def _stay_on_own_cores() -> None:
    """Limit a model on a CPU to the job's OMP_NUM_THREADS, if it is set.

    By default, vLLM binds its threads to the machine's first cores: concurrent jobs would share these and leave
    the others idle.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and "VLLM_CPU_OMP_THREADS_BIND" not in os.environ:
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        # Inherited by the model's process, which starts later.
        os.environ["OMP_NUM_THREADS"] = str(threads_of_model(int(given)))


def _start(folder: Path, dtype: torch.dtype, on_cpu: bool, settings: dict[str, Any]) -> LLMEngine:
    # No telemetry.
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    config = EngineArgs(
        model=str(folder),
        skip_tokenizer_init=True,
        trust_remote_code=False,
        load_format="safetensors",
        dtype=str(dtype).removeprefix("torch."),
        # The model's context, or as much of it as fits into memory.
        max_model_len=-1,
        enable_prefix_caching=True,
        logprobs_mode="raw_logprobs",
        disable_log_stats=True,
        **settings,
    ).create_engine_config(UsageContext.LLM_CLASS)
    # On a CPU, the model has its own process anyway; another one for the scheduler would only cost.
    return LLMEngine(
        config, Executor.get_class(config), log_stats=False, multiprocess_mode=not on_cpu
    )


def _room_for_rank(adapter: Path, rank: int) -> int:
    """The smallest maximum rank that vLLM supports and that is enough for the adapter.

    Raises:
        InputError: the adapter's rank is too large for vLLM.
    """
    ranks = sorted(get_args(MaxLoRARanks))
    room = next((room for room in ranks if room >= rank), None)
    if room is None:
        raise InputError(
            adapter,
            expected=f"a rank of at most {ranks[-1]}",
            found=f"{rank}",
            remedy="merge the adapter, and give the merged model",
        )
    return room
