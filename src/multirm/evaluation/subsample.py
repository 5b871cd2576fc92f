"""Subpools of N solutions, seeded by (seed, run, question) and by nothing else."""

import hashlib
from collections.abc import Sequence

import numpy as np


def orders(question_ids: Sequence[str], size: int, runs: int, seed: int) -> np.ndarray:
    """Random orders of pools of `size` solutions; the first N of one are its subpool of N.

    This is the sampling of the published evaluation (Multi-RM, arXiv 2510.00492): numpy's legacy
    generator, seeded with the first 8 hex digits of the MD5 of `{seed}_{run}_{question_id}`, and
    `choice(size, N, replace=False)`, which is the first N of a permutation.

    Returns:
        positions in the pool, int [questions, runs, size].
    """
    result = np.empty((len(question_ids), runs, size), dtype=np.int64)
    generator = np.random.RandomState()
    for row, question_id in zip(result, question_ids, strict=True):
        for run in range(runs):
            key = f"{seed}_{run}_{question_id}".encode()
            generator.seed(int(hashlib.md5(key, usedforsecurity=False).hexdigest()[:8], 16))
            row[run] = generator.permutation(size)
    return result
