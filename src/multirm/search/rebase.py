"""REBASE: expansions are shared among steps by the softmax of their rewards (Wu et al. 2024, arXiv 2408.00724)."""

import numpy as np

from multirm.search.plan import Expansion, Plan, Scores
from multirm.search.tree import ROOT, SearchTree


def rebase(tree: SearchTree, scores: Scores, n: int, temperature: float) -> Plan:
    """Draw `n` candidates for the first step, then go on from each as often as its share says.

    As in the paper, each solution that ends, for whatever reason, leaves one fewer for the next level.

    Args:
        scores: scores of nodes. One without a score gets no share, unless all are without.
        temperature: what scores are divided by in the softmax; above 0.
    """
    expansions = [Expansion(ROOT, n)]
    while expansions:
        children = [child for each in (yield expansions) for child in each]
        going = [child for child in children if tree.goes_on(child)]
        n -= len(children) - len(going)
        counts = allocate(scores(going), n, temperature)
        expansions = [Expansion(node, k) for node, k in zip(going, counts, strict=True) if k]


def allocate(scores: np.ndarray, n: int, temperature: float) -> list[int]:
    """Divide `n` by the softmax of scores over a temperature, rounded by largest remainders.

    On equal remainders, the earlier one gets more.

    Args:
        scores: float64 [nodes]; NaN where missing.
    """
    if not len(scores):
        return []
    missing = np.isnan(scores)
    if missing.all():
        weights = np.ones(len(scores))
    else:
        known = np.where(missing, -np.inf, scores / temperature)
        weights = np.exp(known - known.max())
    exact = n * weights / weights.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-np.round(exact - counts, 9), kind="stable")
    counts[order[: n - counts.sum()]] += 1
    found: list[int] = counts.tolist()
    return found
