"""Shards: parts of a job, each of which runs as a job of its own."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from multirm.errors import InputError, shown

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` parts, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard from `number/count`.

        Raises:
            InputError: not two numbers with 1 <= number <= count.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal()) or not (
            1 <= int(number) <= int(count)
        ):
            raise InputError("--shard", expected="NUMBER/COUNT, such as 2/8", found=shown(text))
        return cls(int(number), int(count))

    def of(self, items: Sequence[Item], group_of: Callable[[Item], Hashable]) -> list[Item]:
        """Choose the items of this part, in their order.

        Groups of items are not split. Each part gets consecutive groups, in the order of their first items;
        the numbers of groups differ by at most one.

        Args:
            group_of: the group that an item belongs to.
        """
        groups = list(dict.fromkeys(map(group_of, items)))
        mine = {
            group
            for place, group in enumerate(groups)
            if place * self.count // len(groups) == self.number - 1
        }
        return [item for item in items if group_of(item) in mine]
