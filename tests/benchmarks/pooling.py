"""Scoring by vLLM compared with transformers on a CPU, discriminative models: run by hand, in vLLM's environment.

    OMP_NUM_THREADS=1 .venv-vllm/bin/python tests/benchmarks/pooling.py MODEL SOLUTIONS [POOLS] [FORMAT]

MODEL is the folder of a reward model, and SOLUTIONS a table, as in results/models/dPRM-mini/merged and
results/data/Facts_junior/history.parquet after `make study` (the adapter has no advantage in vLLM). Both engines are
loaded before anything is timed, take turns, and score the first questions as a whole, three times. Threads are one
for each of them: vLLM's other process waits.
"""

import sys
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from statistics import median

import torch

from multirm.models.dtype import Dtype
from multirm.reward_models.base import RewardModel, Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.reward_models.formats import read_format
from multirm.reward_models.pooled import load_pooled
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName
from multirm.tables.solutions import SOLUTIONS

ROUNDS = 3


def first_pools(path: Path, count: int) -> list[Solution]:
    """The solutions of the first questions."""
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    pools = [list(pool) for _, pool in groupby(rows, lambda row: row["question_id"])]
    return [Solution.of(row) for pool in pools[:count] for row in pool]


def timed(model: RewardModel, solutions: list[Solution]) -> tuple[float, list[float | None], int]:
    """Seconds, rewards and tokens of all solutions."""
    started = time.perf_counter()
    found = model.score(solutions)
    seconds = time.perf_counter() - started
    rewards = [reward for each in found for reward in each.rewards]
    return seconds, rewards, sum(each.n_tokens_read for each in found)


def main(model: str, path: str, count: str = "12", name: str = "multi_rm") -> None:
    torch.set_num_threads(1)
    asked = None if name == FormatName.MULTI_RM else read_format(FormatName(name))
    load: dict[str, Callable[[], RewardModel]] = {
        "transformers": lambda: load_discriminative(model, Dtype.FLOAT32, asked=asked),
        "vllm": lambda: load_pooled(model, Dtype.FLOAT32, asked),
    }
    models, solutions = (
        {way: make() for way, make in load.items()},
        first_pools(Path(path), int(count)),
    )
    seconds: dict[str, list[float]] = {way: [] for way in models}
    for each in models.values():
        each.score(solutions[:16])
    for _ in range(ROUNDS):
        rewards = {}
        for way, each in models.items():
            took, rewards[way], n_tokens = timed(each, solutions)
            seconds[way].append(took)
        pairs = zip(*rewards.values(), strict=True)
        apart = max(abs(one - other) for one, other in pairs if None not in (one, other))
        said = ", ".join(f"{way} {times[-1]:.1f} s" for way, times in seconds.items())
        print(f"{said}; rewards differ by {apart:.1e} at most")
    one, other = (median(times) for times in seconds.values())
    print(
        f"{len(solutions)} solutions, {n_tokens:,} tokens: vLLM is {one / other:.2f} times as fast"
    )
    models["vllm"].stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
