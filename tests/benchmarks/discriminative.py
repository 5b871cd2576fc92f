"""Throughput of the discriminative scorer compared with a plain implementation, and its growth: run by hand.

python tests/benchmarks/discriminative.py ratio    against padded batches of 8 and full logits
python tests/benchmarks/discriminative.py growth   1, 4 and 16 times the solutions
python tests/benchmarks/discriminative.py gpu      a 14B-shaped decoder in bf16, on a GPU
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, Qwen2Config, set_seed

from multirm.models.batching import TOKENS_AT_ONCE
from multirm.models.load import output_logits
from multirm.models.packing import attend_in_packs, group_in_packs
from multirm.reward_models.discriminative import rewards_at
from multirm.reward_models.layouts import EncodedText

CANDIDATES = (12, 10)
QUESTION, STEP, STEPS = 175, 36, 6


def small_decoder() -> PreTrainedModel:
    """40M parameters, including 16M of tied embeddings of 32k tokens."""
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    set_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def pools(count: int, size: int, vocabulary: int) -> list[list[EncodedText]]:
    """Pools of random solutions, about 175 tokens of question and 215 of steps."""
    generator = np.random.default_rng(0)

    def tokens(about: int) -> list[int]:
        return generator.integers(0, vocabulary, generator.poisson(about)).tolist()

    result = []
    for _ in range(count):
        question = tokens(QUESTION)
        pool = []
        for _ in range(size):
            ids, ends = list(question), []
            for _ in range(STEPS):
                ids += tokens(STEP)
                ends.append(len(ids) - 1)
            pool.append(EncodedText(ids, ends))
        result.append(pool)
    return result


def probability(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    return output_logits(model, hidden, CANDIDATES).softmax(dim=-1)[:, 1]


def scored(model: PreTrainedModel, given: Sequence[Sequence[EncodedText]]) -> list[list[float]]:
    solutions = [solution for pool in given for solution in pool]
    size = len(given[0])
    groups = [range(k, k + size) for k in range(0, len(solutions), size)]
    texts = [solution.ids for solution in solutions]
    rewards: dict[int, list[float]] = {}
    for indices in group_in_packs(groups, texts, TOKENS_AT_ONCE[model.device.type]):
        found = rewards_at(model, probability, [solutions[index] for index in indices])
        rewards.update(zip(indices, found, strict=True))
    return [rewards[index] for index in range(len(solutions))]


@torch.inference_mode()
def plainly(model: PreTrainedModel, given: Sequence[Sequence[EncodedText]]) -> list[list[float]]:
    """Padded batches of eight in the given order, with all logits."""
    solutions = [solution for pool in given for solution in pool]
    rewards = []
    for start in range(0, len(solutions), 8):
        batch = solutions[start : start + 8]
        width = max(len(solution.ids) for solution in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        mask = torch.zeros(len(batch), width, dtype=torch.long)
        for row, solution in enumerate(batch):
            ids[row, : len(solution.ids)] = torch.tensor(solution.ids)
            mask[row, : len(solution.ids)] = 1
        logits = model(ids.to(model.device), attention_mask=mask.to(model.device)).logits
        for row, solution in enumerate(batch):
            chosen = logits[row, solution.places][:, list(CANDIDATES)].float()
            rewards.append(chosen.softmax(dim=-1)[:, 1].tolist())
    return rewards


def timed(work: Callable[[], list[list[float]]]) -> tuple[float, list[list[float]]]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def largest() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def ratio() -> None:
    given = pools(6, 16, 32_000)
    n = sum(map(len, given))
    plain, packed = small_decoder(), small_decoder()
    attend_in_packs(packed)
    plainly(plain, given[:1])
    scored(packed, given[:1])
    for _ in range(5):
        slow, expected = timed(lambda: plainly(plain, given))
        fast, found = timed(lambda: scored(packed, given))
        apart = np.abs(np.array(expected) - np.array(found)).max()
        print(f"plain {n / slow:.1f}/s, packed {n / fast:.1f}/s: {slow / fast:.2f} times; ", end="")
        print(f"rewards differ by {apart:.1e} at most")


def growth() -> None:
    model = small_decoder()
    attend_in_packs(model)
    scored(model, pools(1, 16, 32_000))
    before = None
    for times in (1, 4, 16):
        given = pools(3 * times, 16, 32_000)
        seconds, _ = timed(lambda given=given: scored(model, given))
        grown = "" if before is None else f", {seconds / before:.2f} times a quarter of them"
        print(f"{48 * times} solutions: {seconds:.1f} s{grown}; {largest():.2f} GiB")
        before = seconds


def gpu() -> None:
    # The shape of Qwen2.5-14B.
    config = Qwen2Config(
        vocab_size=152_064,
        hidden_size=5120,
        intermediate_size=13_824,
        num_hidden_layers=48,
        num_attention_heads=40,
        num_key_value_heads=8,
        max_position_embeddings=32_768,
        tie_word_embeddings=False,
    )
    peak = matrix_multiply_peak()
    print(f"{torch.cuda.get_device_name()}: matrix multiply {peak / 1e12:.0f} TFLOP/s in bf16")
    given = pools(16, 16, 150_000)
    n = sum(map(len, given))
    rates = {}
    for name, dtype, work in (
        ("packed bf16", torch.bfloat16, lambda model: scored(model, given)),
        ("plain bf16", torch.bfloat16, lambda model: plainly(model, given[:4])),
        ("plain fp32", torch.float32, lambda model: plainly(model, given[:1])),
    ):
        with torch.device("cuda"):
            set_seed(0)
            model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
        if name.startswith("packed"):
            attend_in_packs(model)
            weights = sum(p.numel() for p in model.model.layers.parameters())
        work(model)
        seconds, rewards = timed(lambda model=model, work=work: work(model))
        rates[name] = len(rewards) / seconds
        print(f"{name}: {rates[name]:.1f} solutions/s")
        del model
        torch.cuda.empty_cache()
    distinct = sum(len(pool[0].ids) - STEPS * STEP for pool in given) + n * STEPS * STEP
    flops = 2 * weights * distinct / (n / rates["packed bf16"])
    print(f"packed: {distinct / (n / rates['packed bf16']):,.0f} tokens/s, ", end="")
    print(f"{flops / peak:.0%} of the peak without counting attention, ", end="")
    print(f"{rates['packed bf16'] / rates['plain fp32']:.1f} times plain fp32")


def matrix_multiply_peak() -> float:
    """Floating-point operations per second of a large matrix product in bf16."""
    a = torch.randn(16384, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        a @ b
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        a @ b
    torch.cuda.synchronize()
    return 20 * 2 * 16384 * 8192 * 8192 / (time.perf_counter() - started)


if __name__ == "__main__":
    {"ratio": ratio, "growth": growth, "gpu": gpu}[sys.argv[1]]()
