"""Best-of-N: whole solutions that are independent of each other. The baseline."""

from multirm.search.plan import Expansion, Plan
from multirm.search.tree import ROOT


def best_of_n(n: int, at_once: int | None = None) -> Plan:
    """Draw `n` solutions.

    Args:
        at_once: solutions of a round; by default all of them.
    """
    left = n
    while left > 0:
        size = min(left, at_once or n)
        yield [Expansion(ROOT, size, whole=True)]
        left -= size
