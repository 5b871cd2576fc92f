"""Start a model in vLLM, in the job's own process: on all visible GPUs, or on a CPU."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import torch
from transformers import PreTrainedConfig
from vllm import EngineArgs, PoolingParams, SamplingParams
from vllm.config.lora import MaxLoRARanks
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.llm_engine import LLMEngine
from vllm.v1.executor import Executor

from multirm.engines.devices import split_over, threads_of_model
from multirm.engines.vllm_adapters import write_uniform
from multirm.engines.vllm_folders import ModelFolders
from multirm.errors import InputError
from multirm.models.load import default_device

# Size of the key-value cache on a CPU. VLLM_CPU_KVCACHE_SPACE overrides it.
_CPU_CACHE_BYTES = 4 * 2**30

_ON_CPU: Mapping[str, Any] = {
    # Compilation takes longer than most jobs on a CPU.
    "enforce_eager": True,
    # The smallest: prefixes are cached in whole blocks.
    "block_size": 32,
    "kv_cache_memory_bytes": _CPU_CACHE_BYTES,
}

_WAITING_PER_RUNNING = 2


class RunningModel:
    """A model that runs in vLLM.

    Attributes:
        engine: vLLM's engine, which works in steps.
        n_open: how many requests to give to it at a time: more than run at the same time.
    """

    def __init__(
        self,
        files: ModelFolders,
        config: PreTrainedConfig,
        dtype: torch.dtype,
        settings: Mapping[str, Any],
    ) -> None:
        """
        Args:
            files: the model's files.
            config: its configuration.
            dtype: its precision.
            settings: further arguments of vLLM's engine.

        Raises:
            InputError: vLLM cannot run it.
        """
        self._adapter: LoRARequest | None = None
        adapted: dict[str, Any] = {}
        if files.adapter:
            # Kept as long as the engine, because vLLM may read it at any time.
            self._served = TemporaryDirectory()
            rank = write_uniform(files.adapter, Path(self._served.name))
            self._adapter = LoRARequest("adapter", 1, self._served.name)
            adapted = {"enable_lora": True, "max_lora_rank": _room_for_rank(files.adapter, rank)}
        on_cpu = default_device().type == "cpu"
        if on_cpu:
            _stay_on_own_cores()
            here = dict(_ON_CPU)
        else:
            n_gpus = split_over(torch.cuda.device_count(), files.name, config)
            here = {"tensor_parallel_size": n_gpus}
        try:
            self.engine = _start(files.whole, dtype, on_cpu, {**adapted, **here, **settings})
            if self._adapter:
                self.engine.add_lora(self._adapter)
        # Errors of the model's processes are RuntimeErrors.
        except (ValueError, RuntimeError) as error:
            raise InputError(
                files.name, expected="a model that vLLM can run here", found=str(error)
            ) from error
        started = self.engine.vllm_config
        self._room = int(started.model_config.max_model_len)
        self.n_open = _WAITING_PER_RUNNING * int(started.scheduler_config.max_num_seqs)

    def add(self, name: str, ids: list[int], params: SamplingParams | PoolingParams) -> None:
        """Start a request. Its outputs carry `name`."""
        self.engine.add_request(name, tokens_input(ids), params, lora_request=self._adapter)

    def require_room(self, name: str, n_tokens: int) -> None:
        """Refuse a text that is longer than the key-value cache.

        Args:
            name: identifies it in the message.

        Raises:
            InputError: says how much room there is.
        """
        if n_tokens > self._room:
            raise InputError(
                name,
                expected=f"memory for {n_tokens:,} tokens",
                found=f"room for {self._room:,}",
                remedy="use more or larger GPUs, or on a CPU set VLLM_CPU_KVCACHE_SPACE, in GiB",
            )

    def stop(self) -> None:
        """End its processes and free its memory."""
        self.engine.engine_core.shutdown()


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
