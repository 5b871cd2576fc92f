"""Best-of-N: whole solutions that are independent of each other. The baseline."""

from collections.abc import Sequence

from multirm.search.plan import Expansion, Plan
from multirm.search.tree import ROOT


def best_of_n(sizes: Sequence[int]) -> Plan:
    """Draw solutions.

    Args:
        sizes: the number of solutions of each round, at least one.
    """
    for size in sizes:
        yield [Expansion(ROOT, size, whole=True)]


def rounds_to_measure(n: int) -> list[int]:
    """The sizes of rounds of `n` solutions in all, of which each tells how long the next one's will be.

    The first round is one solution, since nothing is known before it; the last one is about half of all.
    """
    half = n // 2
    return [size for size in (min(1, half), half - 1, n - half) if size > 0]
