"""Particle filtering: steps are resampled by their rewards (Puri et al. 2025, arXiv 2502.01618)."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from multirm.search.plan import Expansion, Plan
from multirm.search.tree import ROOT, SearchTree


def particle_filtering(
    tree: SearchTree,
    weights: Callable[[Sequence[int]], np.ndarray],
    n: int,
    generator: np.random.Generator,
) -> Plan:
    """Let `n` particles write a step each, resample them by their weights, and so on until all have ended.

    Finished solutions stay among the particles, with the weight of their last step, and cost nothing more. Solutions
    that end otherwise weigh nothing, and so disappear with the next resampling.

    Args:
        weights: weights of nodes, from 0 on; NaN where missing, which weighs nothing, unless all are missing or 0.
        generator: draws one number for each resampling.
    """
    particles = [ROOT] * n
    while True:
        # Copies of one node are asked for together, in the order in which the node comes first.
        copies = Counter(each for each in particles if tree.goes_on(each))
        if not copies:
            return
        children = yield [Expansion(node, k) for node, k in copies.items()]
        moved = [child for each in children for child in each]
        moved += [each for each in particles if tree.is_finished(each)]
        alive = [each for each in moved if tree.goes_on(each) or tree.is_finished(each)]
        if not alive:
            return
        found = weights(alive)
        particles = [alive[k] for k in resample(found, n, generator.random())]


def resample(weights: np.ndarray, n: int, uniform: float) -> list[int]:
    """Systematic resampling: `n` indices, in order, each as often as its weight says up to rounding.

    With a uniform number, the expected count of an index is `n` times its share of the weights, and its count is that
    number rounded up or down.

    Args:
        weights: float64 [items], at least one; NaN where missing. If none is above 0, all count equally.
        uniform: from 0 to 1, below 1.
    """
    known = np.where(np.isnan(weights), 0.0, weights)
    if not known.any():
        known = np.ones(len(known))
    cumulative = np.cumsum(known)
    targets = (uniform + np.arange(n)) / n * cumulative[-1]
    places = np.searchsorted(cumulative, targets, side="right")
    # Rounding may lift the last target to the sum of all weights.
    last = int(np.flatnonzero(known)[-1])
    return [min(place, last) for place in places.tolist()]
