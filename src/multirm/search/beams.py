"""Process beam search, and diverse beams, which are independent searches with one beam each."""

from collections.abc import Sequence

from multirm.search.plan import Expansion, Plan, Scores, best_first, shares
from multirm.search.tree import ROOT, SearchTree


def beam_search(tree: SearchTree, scores: Scores, n: int, keep: int, n_groups: int = 1) -> Plan:
    """Draw candidates for the next step, keep the best, and go on from these.

    Each level has `n` candidates, divided equally among the groups, and in a group among the beams that go on. Of a
    group's candidates, the best `keep` are kept, whether they are finished or not; those that overran, loop or have no
    reward are never among them. The kept ones that are not finished go on. So a finished solution takes a place of its
    own level only: the next level has as many candidates as before and again `keep` of them are kept. All finished ones
    stay in the tree, kept or not. A group ends when none of the kept ones goes on.

    Args:
        scores: scores of nodes, by which they are kept.
        n: candidates of each level, at least as many as `keep` times `n_groups`.
        keep: beams of each group.
        n_groups: 1 for beam search. With one beam in each of several, this is DVTS (diverse verifier tree search).
    """
    groups: list[Sequence[int]] = [[ROOT]] * n_groups
    sizes = shares(n, n_groups)
    while any(groups):
        asked = [
            [Expansion(beam, k) for beam, k in zip(beams, shares(size, len(beams)), strict=True)]
            for beams, size in zip(groups, sizes, strict=True)
            if beams
        ]
        children = iter((yield [expansion for group in asked for expansion in group]))
        sizes = [size for beams, size in zip(groups, sizes, strict=True) if beams]
        groups = []
        for group in asked:
            candidates = [child for _ in group for child in next(children)]
            groups.append(_kept(tree, scores, candidates, keep))


def _kept(tree: SearchTree, scores: Scores, candidates: Sequence[int], keep: int) -> list[int]:
    """The beams that go on, the best one first."""
    usable = [each for each in candidates if tree.goes_on(each) or tree.is_finished(each)]
    kept = best_first(usable, scores(usable))[:keep]
    return [each for each in kept if tree.goes_on(each)]
