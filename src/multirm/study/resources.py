"""The resources that a job requests from a cluster, from the size of its model and of its data.

These are rough, generous estimates: a job that runs out of time or memory is restarted with more and resumes.
Nothing here affects what a job computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

from multirm.models.activations import Decoder, Device, logits_memory, pretraining_memory, reading
from multirm.models.dtype import Dtype

# Models up to this size are fast enough on one core; the smallest jobs request no more.
_SMALL = 2e8

# Useful operations per second of one core, and of one data-centre GPU in bf16.
_CPU_FLOPS, _GPU_FLOPS = 5e10, 1.5e14

# Tokens that vLLM generates per second, times parameters, with many sequences in a batch.
_CPU_WRITING, _GPU_WRITING = 1e9, 3.5e13

# Tokens of a solution with its share of the question, and of a critique with its prompt.
_SOLUTION_TOKENS, _CRITIQUE_TOKENS = 400, 2000

_CORES_BESIDE_GPU = 8
_BYTES_OF_TOKEN = 20
_MB_OF_PROCESS, _MB_OF_CACHE = 2500, 5000
_STARTING_MINUTES = 20
_DAY = 24 * 60


class Limits(Protocol):
    """What a partition allows, in the units of `Resources`: by default no GPU, and no limit on the rest."""

    max_gpu: float
    max_threads: float
    max_mem_mb: float
    max_runtime: float


@dataclass(frozen=True)
class Resources:
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

    def again(self, attempt: int, partitions: Sequence["Limits"] = ()) -> "Resources":
        """The resources for the `attempt`th attempt, from 1 on.

        At most a day, which clusters allow and after which the next attempt resumes; and at most what the
        largest partition allows among those that allow the first attempt, if any are given.
        """
        runtime = min(_DAY, self.runtime * attempt)
        more = replace(self, mem_mb=self.mem_mb * attempt, runtime=runtime)
        cut = [more.cut_to(limits) for limits in partitions if self.cut_to(limits) == self]
        return max(cut, key=lambda each: (each.mem_mb, each.runtime), default=more)

    def cut_to(self, limits: "Limits") -> "Resources":
        """These resources, limited to what a partition allows."""
        return Resources(
            int(min(self.gpu, limits.max_gpu)),
            int(min(self.threads, limits.max_threads)),
            int(min(self.mem_mb, limits.max_mem_mb)),
            int(min(self.runtime, limits.max_runtime)),
        )


def runs_on_gpu(parameters: float) -> bool:
    """Whether a model of this size runs on GPUs."""
    return parameters > _SMALL


@dataclass(frozen=True)
class Share:
    """The workload of one process of a training run.

    Attributes:
        decoder: the shape of the model.
        examples: examples per batch.
        longest: maximum tokens of an example.
        at_once: examples per forward pass, if set.
        is_generative: whether logits over the whole vocabulary are needed.
        vocabulary: its size, if known.
        activation_memory: GB for activations, if set.
        dtype: precision of passes.
    """

    decoder: Decoder
    examples: int
    longest: int
    at_once: int | None = None
    is_generative: bool = False
    vocabulary: int | None = None
    activation_memory: float | None = None
    dtype: Dtype = Dtype.AUTO

    def memory(self, device: Device) -> float:
        """Bytes for the forward and backward pass over a batch, besides the weights."""
        budget = 1e9 * self.activation_memory if self.activation_memory else None
        read = reading(
            self.decoder, device, self.examples, self.longest, self.at_once, budget, self.dtype
        )
        logits = logits_memory(self.vocabulary, read.at_once * self.longest)
        return read.memory + (logits if self.is_generative else 0)


# Bytes per weight that is trained: the weight, its gradient, and AdamW's two means, in fp32.
_TRAINED = 16


def training_memory(
    parameters: float, sharing: int, share: Share, trains_all: bool = False
) -> float:
    """GB on each GPU: weights over `sharing` GPUs, activations of a batch, and 2 for the rest.

    An adapter's backbone is in the precision of passes. If all weights are trained, autocast keeps a copy of them in
    bf16 beside those in fp32, unless they are sharded.
    """
    of_weight = _bytes_on_gpu(share.dtype)
    if trains_all:
        is_copied = sharing == 1 and share.dtype is not Dtype.FLOAT32
        of_weight = _TRAINED + 2 if is_copied else _TRAINED
    return of_weight * parameters / 1e9 / sharing + share.memory("cuda") / 1e9 + 2


def reading_memory(parameters: float, dtype: Dtype = Dtype.AUTO) -> float:
    """GB on a GPU to score with a discriminative model."""
    return _bytes_on_gpu(dtype) * parameters / 1e9 + 6


def _bytes_on_gpu(dtype: Dtype) -> int:
    return 4 if dtype is Dtype.FLOAT32 else 2


def of_table(rows: int = 0) -> Resources:
    """For a job that reads and writes tables, with `rows` rows in total."""
    return Resources(0, 1, 2000 + rows // 2000, 15 + rows // 10_000)


def of_training(
    parameters: float,
    sequences: int,
    epochs: float,
    processes: int,
    share: Share,
    trains_all: bool = False,
) -> Resources:
    """For a training run on `sequences` sequences, in `processes` processes."""
    tokens = sequences * (_CRITIQUE_TOKENS if share.is_generative else _SOLUTION_TOKENS) * epochs
    # Forward, backward, and a second forward pass for gradient checkpointing.
    work = 8 * parameters * tokens / processes
    # Text, token ids and labels, in each process.
    texts = _BYTES_OF_TOKEN * tokens
    if runs_on_gpu(parameters):
        threads = _CORES_BESIDE_GPU * processes
        of_weight = 4 if trains_all else _bytes_on_gpu(share.dtype)
        memory = _of_process(of_weight * parameters + texts) * processes
        if trains_all:
            # Weights and AdamW's means are gathered in main memory for a checkpoint.
            memory += ceil(12 * parameters / 2**20)
        minutes = _minutes(work * _slowness(share.dtype) / _GPU_FLOPS)
        return Resources(processes, threads, memory, minutes)
    # Measured: 17.7 bytes per weight, with a checkpoint.
    weights = (_TRAINED + 4 if trains_all else 8) * parameters
    memory = _of_process(weights + texts + share.memory("cpu")) * processes
    return Resources(0, processes, memory, _minutes(work / _CPU_FLOPS))


def of_pretraining(
    parameters: float, tokens: int, decoder: Decoder, vocabulary: int, at_once: int
) -> Resources:
    """For a decoder trained from scratch on `tokens` tokens, `at_once` per batch."""
    memory = _of_process(32 * parameters + pretraining_memory(decoder, vocabulary, at_once))
    minutes = _minutes(6 * parameters * tokens / _CPU_FLOPS)
    return Resources(0, 1, memory, minutes)


def of_merging(parameters: float) -> Resources:
    """For merging an adapter into its backbone, in main memory and in fp32."""
    return Resources(0, 1, _of_process(6 * parameters), 60)


def of_reading(
    parameters: float,
    solutions: int,
    dtype: Dtype = Dtype.AUTO,
    gpu_memory: float | None = None,
) -> Resources:
    """For scoring `solutions` solutions with a discriminative model.

    Args:
        gpu_memory: GB of a GPU, if the engine is vLLM, which splits a model over several; None for one GPU.
    """
    work = 2 * parameters * solutions * _SOLUTION_TOKENS
    if runs_on_gpu(parameters):
        weights = _bytes_on_gpu(dtype) * parameters
        gpus = 1 if gpu_memory is None else _gpus_of(weights, gpu_memory)
        minutes = _minutes(work * _slowness(dtype) / _GPU_FLOPS / gpus)
        return Resources(gpus, _CORES_BESIDE_GPU * gpus, _of_process(weights), minutes)
    memory = _of_process(8 * parameters) + (0 if gpu_memory is None else _MB_OF_CACHE)
    return Resources(0, 1, memory, _minutes(work / _CPU_FLOPS))


def of_writing(
    parameters: float,
    critiques: int,
    max_tokens: int,
    gpu_memory: float,
    dtype: Dtype = Dtype.AUTO,
) -> Resources:
    """For generating `critiques` critiques of at most `max_tokens` tokens, on GPUs of `gpu_memory` GB."""
    tokens = critiques * min(max_tokens, _CRITIQUE_TOKENS)
    if runs_on_gpu(parameters):
        weights = _bytes_on_gpu(dtype) * parameters
        gpus = _gpus_of(weights, gpu_memory)
        memory = _of_process(weights)
        seconds = tokens * parameters / _GPU_WRITING / gpus
        return Resources(gpus, _CORES_BESIDE_GPU * gpus, memory, _minutes(seconds))
    memory = _of_process(8 * parameters) + _MB_OF_CACHE
    minutes = _minutes(tokens * parameters / _CPU_WRITING)
    return Resources(0, 1, memory, minutes)


def _gpus_of(weights: float, gpu_memory: float) -> int:
    """The number of GPUs of `gpu_memory` GB for `weights` bytes of weights and a cache, in vLLM."""
    # Attention heads are split among GPUs, and their number is a multiple of a power of two.
    gpus = 1
    while weights / 1e9 + 8 > 0.9 * gpu_memory * gpus:
        gpus *= 2
    return gpus


def _slowness(dtype: Dtype) -> int:
    """How many times slower than bf16 a GPU computes, without tensor cores for it."""
    return 10 if dtype is Dtype.FLOAT32 else 1


def of_asking() -> Resources:
    """For texts from an external server or batch service, at its own speed."""
    return Resources(0, 1, _MB_OF_PROCESS, _DAY)


def _of_process(weights: float) -> int:
    """MB for a process with `weights` bytes of weights."""
    return _MB_OF_PROCESS + ceil(weights / 2**20)


def _minutes(seconds: float) -> int:
    """Twice the estimated time."""
    return min(_DAY, _STARTING_MINUTES + ceil(2 * seconds / 60))
