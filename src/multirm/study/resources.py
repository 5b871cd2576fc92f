"""What a job asks a cluster for, from the size of its model and of its data.

Rough and rather too much: a job that is given too little time or memory is started again with more, and
goes on where it was. Nothing here changes what a job computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

from multirm.models.activations import Decoder, Device, logits_memory, pretraining_memory, reading
from multirm.models.dtype import Dtype

# Models up to this size are read fast enough by one core, and the smallest jobs ask for no more.
_SMALL = 2e8

# What an arithmetic unit does of useful work in a second: one core, and one GPU of a data centre in bf16.
_CPU_FLOPS, _GPU_FLOPS = 5e10, 1.5e14

# Tokens that vLLM writes in a second, times parameters: many texts at once.
_CPU_WRITING, _GPU_WRITING = 1e9, 3.5e13

# Tokens of a solution with its share of the question, and of what a critique is read from and is.
_SOLUTION_TOKENS, _CRITIQUE_TOKENS = 400, 2000

_CORES_BESIDE_GPU = 8
_BYTES_OF_TOKEN = 20
_MB_OF_PROCESS, _MB_OF_CACHE = 2500, 5000
_STARTING_MINUTES = 20
_DAY = 24 * 60


class Limits(Protocol):
    """What a partition admits, in the units of `Request`: where unsaid, no GPU, and all of the rest."""

    max_gpu: float
    max_threads: float
    max_mem_mb: float
    max_runtime: float


@dataclass(frozen=True)
class Request:
    """What a job is given.

    Attributes:
        gpu: GPUs, 0 for none.
        threads: cores.
        mem_mb: main memory, in MB.
        runtime: minutes.
    """

    gpu: int
    threads: int
    mem_mb: int
    runtime: int

    def again(self, attempt: int, partitions: Sequence["Limits"] = ()) -> "Request":
        """What the job is given when it is started for the `attempt`th time, from 1 on.

        A day at most: clusters grant that, and after it the next attempt goes on. And no more than the
        roomiest of the partitions admits that admit the first attempt, if any are named.
        """
        runtime = min(_DAY, self.runtime * attempt)
        more = replace(self, mem_mb=self.mem_mb * attempt, runtime=runtime)
        cut = [more.cut_to(limits) for limits in partitions if self.cut_to(limits) == self]
        return max(cut, key=lambda request: (request.mem_mb, request.runtime), default=more)

    def cut_to(self, limits: "Limits") -> "Request":
        """As much of it as a partition admits."""
        return Request(
            int(min(self.gpu, limits.max_gpu)),
            int(min(self.threads, limits.max_threads)),
            int(min(self.mem_mb, limits.max_mem_mb)),
            int(min(self.runtime, limits.max_runtime)),
        )


def runs_on_gpu(parameters: float) -> bool:
    """Whether a model of so many parameters is given GPUs."""
    return parameters > _SMALL


@dataclass(frozen=True)
class Share:
    """What falls to one process of a training.

    Attributes:
        decoder: the shape of the model.
        examples: of each batch.
        longest: tokens of an example at most.
        at_once: examples that are read together, where that is settled.
        is_generative: whether all of the vocabulary's logits are needed.
        vocabulary: its size, where that is known.
    """

    decoder: Decoder
    examples: int
    longest: int
    at_once: int | None = None
    is_generative: bool = False
    vocabulary: int | None = None

    def memory(self, device: Device) -> float:
        """Bytes that the two passes over a batch take beside the weights."""
        read = reading(self.decoder, device, self.examples, self.longest, self.at_once)
        logits = logits_memory(self.vocabulary, read.at_once * self.longest)
        return read.memory + (logits if self.is_generative else 0)


def training_memory(parameters: float, sharing: int, share: Share) -> float:
    """GB on a GPU for LoRA: the weights in bf16, shared by so many, what a batch leaves behind, and 2 of its own."""
    return 2 * parameters / 1e9 / sharing + share.memory("cuda") / 1e9 + 2


def reading_memory(parameters: float, dtype: Dtype = Dtype.AUTO) -> float:
    """GB on a GPU to read rewards off a network."""
    return _bytes_on_gpu(dtype) * parameters / 1e9 + 6


def _bytes_on_gpu(dtype: Dtype) -> int:
    return 4 if dtype is Dtype.FLOAT32 else 2


def of_table(rows: int = 0) -> Request:
    """For a job that reads and writes tables, so many rows in all."""
    return Request(0, 1, 2000 + rows // 2000, 15 + rows // 10_000)


def of_training(
    parameters: float,
    sequences: int,
    epochs: float,
    processes: int,
    share: Share,
) -> Request:
    """For a training of so many sequences, in so many processes."""
    tokens = sequences * (_CRITIQUE_TOKENS if share.is_generative else _SOLUTION_TOKENS) * epochs
    # Forwards, backwards, and forwards once more where memory is saved.
    work = 8 * parameters * tokens / processes
    # As text, as a number and with its label, in every process.
    texts = _BYTES_OF_TOKEN * tokens
    if runs_on_gpu(parameters):
        threads = _CORES_BESIDE_GPU * processes
        memory = _of_process(2 * parameters + texts) * processes
        return Request(processes, threads, memory, _minutes(work / _GPU_FLOPS))
    memory = _of_process(8 * parameters + texts + share.memory("cpu")) * processes
    return Request(0, processes, memory, _minutes(work / _CPU_FLOPS))


def of_pretraining(
    parameters: float, tokens: int, decoder: Decoder, vocabulary: int, at_once: int
) -> Request:
    """For a decoder trained from scratch, on so many tokens, `at_once` in a batch."""
    memory = _of_process(32 * parameters + pretraining_memory(decoder, vocabulary, at_once))
    minutes = _minutes(6 * parameters * tokens / _CPU_FLOPS)
    return Request(0, 1, memory, minutes)


def of_merging(parameters: float) -> Request:
    """For adding an adapter to its backbone, in main memory and in fp32."""
    return Request(0, 1, _of_process(6 * parameters), 60)


def of_reading(parameters: float, solutions: int, dtype: Dtype = Dtype.AUTO) -> Request:
    """For rewards read off a network, of so many solutions."""
    work = 2 * parameters * solutions * _SOLUTION_TOKENS
    if runs_on_gpu(parameters):
        memory = _of_process(_bytes_on_gpu(dtype) * parameters)
        minutes = _minutes(work * _slowness(dtype) / _GPU_FLOPS)
        return Request(1, _CORES_BESIDE_GPU, memory, minutes)
    memory = _of_process(8 * parameters)
    return Request(0, 1, memory, _minutes(work / _CPU_FLOPS))


def of_writing(
    parameters: float,
    critiques: int,
    max_tokens: int,
    gpu_memory: float,
    dtype: Dtype = Dtype.AUTO,
) -> Request:
    """For so many critiques, of so many tokens at most; GPUs of `gpu_memory` GB."""
    tokens = critiques * min(max_tokens, _CRITIQUE_TOKENS)
    if runs_on_gpu(parameters):
        # Heads are shared out among them, and their number is a multiple of a power of two.
        gpus = 1
        weights = _bytes_on_gpu(dtype) * parameters
        while weights / 1e9 + 8 > 0.9 * gpu_memory * gpus:
            gpus *= 2
        memory = _of_process(weights)
        seconds = tokens * parameters / _GPU_WRITING / gpus
        return Request(gpus, _CORES_BESIDE_GPU * gpus, memory, _minutes(seconds))
    memory = _of_process(8 * parameters) + _MB_OF_CACHE
    minutes = _minutes(tokens * parameters / _CPU_WRITING)
    return Request(0, 1, memory, minutes)


def _slowness(dtype: Dtype) -> int:
    """How many times as long a GPU computes as in bf16, for which it has units of their own."""
    return 10 if dtype is Dtype.FLOAT32 else 1


def of_asking() -> Request:
    """For critiques that somebody else's server writes, at its own speed."""
    return Request(0, 1, _MB_OF_PROCESS, _DAY)


def _of_process(weights: float) -> int:
    """MB for a process and weights of so many bytes."""
    return _MB_OF_PROCESS + ceil(weights / 2**20)


def _minutes(seconds: float) -> int:
    """Twice what it should take."""
    return min(_DAY, _STARTING_MINUTES + ceil(2 * seconds / 60))
