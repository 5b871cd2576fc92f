"""From options to the plan of a search."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from multirm.reward_models.aggregate import weights_in_pools
from multirm.running.randomness import item_generator
from multirm.search.beams import beam_search
from multirm.search.best_of_n import best_of_n, rounds_to_measure
from multirm.search.mcts import mcts
from multirm.search.options import SearchOptions
from multirm.search.particles import particle_filtering
from multirm.search.plan import Plan, Scores
from multirm.search.rebase import rebase
from multirm.search.tree import SearchTree
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale
from multirm.tables.searches import NodeValue, SearchMethod


def plan_of(
    options: SearchOptions, scale: Scale, seed: int, tree: SearchTree, n_before: int
) -> Plan:
    """Begin a search.

    Args:
        scale: of the rewards.
        seed: of the study.
        tree: the question's tree.
        n_before: how many searches of it were finished before.
    """
    n = options.candidates
    scores: Scores = partial(tree.scores, aggregation=options.pruning)
    match options.method:
        case SearchMethod.BEST_OF_N:
            # A search that begins again knows already how long solutions are.
            is_measured = options.policy_tokens is None or n_before > 0
            return best_of_n([n] if is_measured else rounds_to_measure(n))
        case SearchMethod.BEAM_SEARCH:
            return beam_search(tree, scores, n, options.n_beams)
        case SearchMethod.DIVERSE_BEAM_SEARCH:
            return beam_search(tree, scores, n, 1, n_groups=options.n_beams)
        case SearchMethod.REBASE:
            return rebase(tree, scores, n, options.rebase_temperature)
        case SearchMethod.PARTICLE_FILTERING:
            generator = item_generator(seed, "resample", *tree.key, n_before)
            weights = partial(_weights, tree, options.pruning, scale)
            return particle_filtering(tree, weights, n, generator)
        case SearchMethod.MCTS:
            return mcts(
                tree,
                scores if options.node_value is NodeValue.REWARD else _final(tree, options),
                n=None if options.policy_tokens else n,
                width=options.children,
                at_once=options.simulations,
                exploration=options.exploration,
                rolls_out=options.node_value is NodeValue.ROLLOUT,
            )


def _final(tree: SearchTree, options: SearchOptions) -> Scores:
    return partial(tree.scores, aggregation=options.final)


def _weights(
    tree: SearchTree, aggregation: Aggregation, scale: Scale, numbers: Sequence[int]
) -> np.ndarray:
    """Probabilities weigh as they are, and scores by their softmax, as in votes."""
    rewards = pa.array([tree.rewards(number) for number in numbers], pa.list_(pa.float64()))
    return weights_in_pools(rewards, aggregation, np.array([0]), scale)
