"""Keys and values of texts that were read, so that texts which continue them are read from there on.

The texts form a tree over their token ids. It is bounded in bytes: what has not been used for the longest time goes
first, and never before everything that continues it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from multirm.models.token_tree import Branch, TokenTree

_ON_CPU = 2**31
_SHARE_OF_GPU = 0.25


def room_for_cache(device: torch.device) -> int:
    """Bytes of keys and values to keep on a device: 2 GiB on a CPU, a quarter of what is free on a GPU."""
    if device.type == "cpu":
        return _ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * _SHARE_OF_GPU)


class CachedBranch(Branch):
    """Tokens of a text with their keys and values.

    Attributes:
        states: [layers, 2, tokens, groups, head size], keys and values as attention uses them, with positions;
            None while they are not computed.
    """

    def __init__(self, run: list[int], parent: Self | None) -> None:
        super().__init__(run, parent)
        self.states: Tensor | None = None

    def split(self, at: int) -> Self:
        before = super().split(at)
        if self.states is not None:
            # Copies, because a view would keep the memory of both.
            before.states = self.states[:, :, :at].clone()
            self.states = self.states[:, :, at:].clone()
        return before


class PrefixCache:
    """Keys and values of texts.

    Args:
        max_bytes: what `trim` leaves of them. In between, there is as much as is read at once on top.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._tree = TokenTree(CachedBranch([], None))
        # The least recently used first. A branch is used whenever one after it is, and counts as used after it.
        self._used: OrderedDict[CachedBranch, None] = OrderedDict()
        self.n_bytes = 0

    def path(self, text: Sequence[int]) -> list[CachedBranch]:
        """The branches of a text, used now. Those without states are the last ones; `fill` them."""
        found = self._tree.path(text)
        for branch in reversed(found):
            self._used[branch] = None
            self._used.move_to_end(branch)
        return found

    def n_known(self, text: Sequence[int]) -> int:
        """The number of a text's first tokens whose keys and values are known."""
        return sum(len(branch.run) for branch in self.path(text) if branch.states is not None)

    def fill(self, branch: CachedBranch, states: Tensor) -> None:
        """Keep the states of a branch, which must not share memory with others."""
        branch.states = states
        self.n_bytes += states.nbytes

    def trim(self) -> None:
        """Forget the least recently used branches, until the others fit, and those without states."""
        while self._used and self.n_bytes > self._max_bytes:
            self._forget(next(iter(self._used)))

    def hold(self) -> None:
        """Let `trim` leave from now on as much as there is now."""
        self._max_bytes = self.n_bytes

    def _forget(self, branch: CachedBranch) -> None:
        assert branch.parent is not None
        del branch.parent.children[branch.run[0]]
        del self._used[branch]
        if branch.states is not None:
            self.n_bytes -= branch.states.nbytes
