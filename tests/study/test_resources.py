"""Resources of jobs grow with their work, and none are requested without need."""

from dataclasses import replace

import pytest
from snakemake_executor_plugin_slurm.partitions import PartitionLimits

from multirm.models.activations import Decoder
from multirm.models.dtype import Dtype
from multirm.study import resources
from multirm.study.resources import Resources, Share

TINY, LARGE = 1e6, 14.8e9
SMALL = Decoder(3, 128, 384)


def share(parameters: float, examples: int = 16, is_generative: bool = False) -> Share:
    longest = 8192 if is_generative else 650
    return Share(Decoder.guessed(parameters), examples, longest, is_generative=is_generative)


def training(
    parameters: float, sequences: int, processes: int = 1, is_generative: bool = False
) -> Resources:
    workload = share(parameters, 16 // processes, is_generative)
    return resources.of_training(parameters, sequences, 1, processes, workload)


@pytest.mark.parametrize(
    "request_",
    [
        resources.of_table(),
        resources.of_training(TINY, 800, 1, 1, Share(SMALL, 16, 512, None, True, 1200)),
        resources.of_pretraining(TINY, 1_250_000, SMALL, 1200, 512),
        resources.of_merging(TINY),
        resources.of_reading(TINY, 1600),
        resources.of_writing(TINY, 6400, 160, 80),
        resources.of_asking(),
    ],
)
def test_a_model_of_a_million_runs_on_one_core(request_: Resources) -> None:
    assert (request_.gpu, request_.threads) == (0, 1)
    assert request_.mem_mb < 8000


def test_a_large_model_gets_gpus_by_its_size() -> None:
    assert resources.of_reading(LARGE, 20_000).gpu == 1
    assert resources.of_writing(LARGE, 100_000, 8192, gpu_memory=80).gpu == 1
    assert resources.of_writing(LARGE, 100_000, 8192, gpu_memory=24).gpu == 2
    assert resources.of_writing(32.8e9, 100_000, 8192, gpu_memory=80).gpu == 2
    assert training(LARGE, 100_000, processes=4).gpu == 4
    assert resources.of_merging(LARGE).gpu == 0
    assert resources.of_merging(LARGE).mem_mb > 6 * LARGE / 2**20


def test_fp32_takes_twice_the_memory_and_longer_on_a_gpu() -> None:
    fast, exact = (
        resources.of_reading(LARGE, 20_000, dtype) for dtype in (Dtype.AUTO, Dtype.FLOAT32)
    )
    assert exact.mem_mb > fast.mem_mb + 2 * LARGE / 2**20 - 1
    assert exact.runtime > 5 * fast.runtime
    assert resources.reading_memory(LARGE, Dtype.FLOAT32) == pytest.approx(
        resources.reading_memory(LARGE, Dtype.BFLOAT16) + 2 * LARGE / 1e9
    )
    assert resources.of_writing(LARGE, 1000, 8192, 48, Dtype.FLOAT32).gpu == 2
    assert resources.of_writing(LARGE, 1000, 8192, 48).gpu == 1
    fast, exact = (
        resources.of_training(LARGE, 20_000, 1, 1, replace(share(LARGE), dtype=dtype))
        for dtype in (Dtype.AUTO, Dtype.FLOAT32)
    )
    assert exact.mem_mb > fast.mem_mb + 2 * LARGE / 2**20 - 1
    assert exact.runtime > 5 * fast.runtime
    for trains_all, more in ((False, 2 * LARGE / 1e9), (True, -2 * LARGE / 1e9)):
        halves, wholes = (
            replace(share(LARGE), dtype=dtype, at_once=1)
            for dtype in (Dtype.BFLOAT16, Dtype.FLOAT32)
        )
        assert wholes.memory("cuda") == 2 * halves.memory("cuda")
        assert resources.training_memory(LARGE, 1, wholes, trains_all) == pytest.approx(
            resources.training_memory(LARGE, 1, halves, trains_all)
            + more
            + halves.memory("cuda") / 1e9
        )
    # A CPU computes in fp32 anyway.
    assert resources.of_reading(TINY, 1600, Dtype.FLOAT32) == resources.of_reading(TINY, 1600)


def test_time_grows_with_work_and_shrinks_with_processes() -> None:
    short = training(LARGE, 20_000).runtime
    assert training(LARGE, 80_000).runtime > 2 * short
    assert training(LARGE, 80_000, processes=4).runtime == short
    assert training(LARGE, 20_000, is_generative=True).runtime > short
    # The paper's largest models took some hours to train on one GPU.
    assert 4 * 60 < training(LARGE, 84_098).runtime < 24 * 60


def test_another_attempt_gets_more_but_at_most_a_day() -> None:
    first = Resources(gpu=1, threads=8, mem_mb=10_000, runtime=600)
    assert first.again(1) == first
    assert first.again(2) == Resources(gpu=1, threads=8, mem_mb=20_000, runtime=1200)
    assert first.again(3).runtime == 24 * 60


def test_another_attempt_gets_no_more_than_a_partition_allows() -> None:
    first = Resources(gpu=1, threads=8, mem_mb=40_000, runtime=300)
    gpus = PartitionLimits(max_gpu=4, max_mem_mb=64_000, max_runtime="10h")
    more_gpus = PartitionLimits(max_gpu=8, max_mem_mb=96_000)
    others = [PartitionLimits(max_mem_mb=1_000_000), PartitionLimits(max_gpu=8, max_threads=4)]
    assert first.again(1, [gpus]) == first
    assert first.again(2, [gpus, *others]) == Resources(1, 8, 64_000, 600)
    assert first.again(3, [*others, gpus]) == Resources(1, 8, 64_000, 600)
    assert first.again(3, [gpus, more_gpus]) == Resources(1, 8, 96_000, 900)
    assert first.again(3, others) == first.again(3)


def test_a_sharded_model_needs_less_of_each_gpu() -> None:
    whole, shared = (resources.training_memory(LARGE, n, share(LARGE)) for n in (1, 4))
    assert whole > shared > 4
    assert not resources.runs_on_gpu(TINY)
    assert resources.runs_on_gpu(LARGE)


def test_memory_grows_with_the_batch_up_to_the_budget() -> None:
    smol = Decoder(30, 576, 1536)
    sizes = [
        resources.of_training(1.35e8, 100, 1, 1, Share(smol, examples, longest)).mem_mb
        for examples, longest in [(1, 100), (1, 300), (4, 300), (16, 650)]
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 2
    # Sixteen times 650 tokens would keep 30 GB; one example of them at a time takes 2.
    assert 4000 < sizes[-1] < 7500
    small = Share(smol, 16, 650, activation_memory=0.5)
    assert resources.of_training(1.35e8, 100, 1, 1, small).mem_mb < sizes[-1] - 1000
    forced = resources.of_training(1.35e8, 100, 1, 1, Share(smol, 16, 8192, at_once=16)).mem_mb
    assert forced > 20_000
    assert resources.of_training(1.35e8, 100, 1, 2, Share(smol, 8, 650)).mem_mb > 1.9 * sizes[-1]


def test_logits_count_if_they_are_needed() -> None:
    plain, all_of_them, few = (
        resources.of_training(
            1e6, 100, 1, 1, Share(SMALL, 16, 512, None, generative, vocabulary)
        ).mem_mb
        for generative, vocabulary in [(False, None), (True, None), (True, 1200)]
    )
    assert plain < few < all_of_them
    assert all_of_them - plain == pytest.approx(3 * 4 * 2**26 / 2**20, rel=0.01)


def test_pretraining_needs_memory_for_activations_and_logits() -> None:
    small, many_tokens, many_words = (
        resources.of_pretraining(1e6, 10**6, SMALL, vocabulary, at_once).mem_mb
        for vocabulary, at_once in [(1200, 512), (1200, 8192), (50_000, 512)]
    )
    assert small < many_words
    assert small + 8192 * 3 * 128 * 4 * 20 / 2**20 < many_tokens
