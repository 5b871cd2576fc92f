"""vLLM as the engine of discriminative reward models: raw outputs of a classifier at each token of a text."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from vllm import PoolingParams
from vllm.config import PoolerConfig
from vllm.outputs import PoolingRequestOutput

from multirm.engines.vllm_folders import ModelFolders
from multirm.engines.vllm_start import RunningModel

SECONDS_BETWEEN_YIELDS = 1


class VllmClassifier:
    """A classifier of tokens in vLLM, in the job's own process. vLLM applies no activation to its outputs.

    vLLM may read a text in parts (chunked prefill). It shares prefixes of texts only if all that is read is the last
    token (`at_end`).
    """

    def __init__(
        self, files: ModelFolders, served: Path, config: PreTrainedConfig, dtype: torch.dtype
    ) -> None:
        """
        Args:
            files: of the model that was asked for.
            served: a folder of `vllm_folders.write_classifier`, which is read once.
            config: the decoder's configuration.
            dtype: precision of the decoder; the classifier's is float32.

        Raises:
            InputError: vLLM cannot run it.
        """
        pooling = PoolerConfig(tok_pooling_type="ALL", use_activation=False)
        settings = {"runner": "pooling", "convert": "classify", "pooler_config": pooling}
        self._running = RunningModel(replace(files, whole=served), config, dtype, settings)

    def read(
        self, texts: Iterable[tuple[int, list[int]]], at_end: bool
    ) -> Iterator[dict[int, Tensor]]:
        """Read texts, and yield outputs about once a second.

        Args:
            texts: names and token ids, none longer than the context.
            at_end: whether only the outputs at the last token are wanted.

        Yields:
            float32 [tokens, outputs] by the names of texts; if `at_end`, [1, outputs].

        Raises:
            InputError: a text is longer than the key-value cache.
        """
        waiting = iter(texts)
        running: dict[str, tuple[int, int]] = {}
        ready: dict[int, Tensor] = {}
        yielded = time.monotonic()
        try:
            while True:
                while len(running) < self._running.n_open and (given := next(waiting, None)):
                    number, ids = given
                    self._add(number, ids, at_end)
                    running[str(number)] = number, 1 if at_end else len(ids)
                if not running:
                    break
                for output in self._running.engine.step():
                    number, n_rows = running.pop(output.request_id)
                    ready[number] = _rows(output, n_rows)
                if ready and time.monotonic() - yielded >= SECONDS_BETWEEN_YIELDS:
                    yield ready
                    ready, yielded = {}, time.monotonic()
            if ready:
                yield ready
        finally:
            self._running.engine.abort_request(list(running))

    def _add(self, number: int, ids: list[int], at_end: bool) -> None:
        self._running.require_room(f"solution {number}", len(ids))
        task = "classify" if at_end else "token_classify"
        self._running.add(str(number), ids, PoolingParams(task=task, use_activation=False))

    def stop(self) -> None:
        """End vLLM's processes and free its memory."""
        self._running.stop()


def _rows(output: PoolingRequestOutput, n_rows: int) -> Tensor:
    found: Tensor = output.outputs.data.float()
    rows = found.reshape(-1, found.shape[-1])
    if len(rows) != n_rows:
        raise RuntimeError(f"vLLM returned the outputs of {len(rows)} tokens instead of {n_rows}")
    return rows
