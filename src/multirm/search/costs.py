"""What the search of one question costs, in five currencies."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Cost:
    """The columns of searches of the same names; None where a number is unknown."""

    policy_generated: int = 0
    policy_computed: int | None = 0
    policy_cached: int | None = 0
    reward_new: int = 0
    reward_computed: int = 0
    reward_cached: int = 0
    policy_flops: float | None = 0.0
    reward_flops: float | None = 0.0
    seconds: float = 0.0

    def __add__(self, other: Self) -> "Cost":
        mine, others = vars(self), vars(other)
        return Cost(**{name: _sum(mine[name], others[name]) for name in mine})


def shared(seconds: float, tokens: list[int]) -> list[float]:
    """Divide a time by numbers of tokens; equally if all are 0."""
    total = sum(tokens)
    if not total:
        return [seconds / len(tokens)] * len(tokens)
    return [seconds * n / total for n in tokens]


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
