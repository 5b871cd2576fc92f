"""Texts of token ids that begin alike, as a tree: each token of a common prefix is in it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Self, TypeVar

from multirm.models.packing import n_shared


class Branch:
    """The tokens from where texts part to where they part again.

    Attributes:
        run: their ids; none at the root alone.
        parent: the branch before it; None for the root.
        children: the branches after it, by their first tokens.
    """

    def __init__(self, run: list[int], parent: Self | None) -> None:
        self.run, self.parent = run, parent
        self.children: dict[int, Self] = {}

    def split(self, at: int) -> Self:
        """Move the first `at` tokens into a new branch before this one.

        Returns:
            the new branch.
        """
        assert self.parent is not None
        before = type(self)(self.run[:at], self.parent)
        self.parent.children[self.run[0]] = before
        self.run, self.parent = self.run[at:], before
        before.children[self.run[0]] = self
        return before


B = TypeVar("B", bound=Branch)


class TokenTree(Generic[B]):
    """Texts that are known, as paths through branches.

    Args:
        root: a branch without tokens.
    """

    def __init__(self, root: B) -> None:
        self._root = root

    def path(self, text: Sequence[int]) -> list[B]:
        """The branches of a text, which end with it; those of an unknown text are new."""
        branch, start, found = self._root, 0, list[B]()
        while start < len(text):
            after = branch.children.get(text[start])
            if after is None:
                after = type(branch)(list(text[start:]), branch)
                branch.children[text[start]] = after
            shared = n_shared(after.run, text[start : start + len(after.run)])
            branch = after if shared == len(after.run) else after.split(shared)
            start += shared
            found.append(branch)
        return found


class ReadBranch(Branch):
    """Tokens that were read, and the rewards at some of them.

    Attributes:
        is_new: whether nobody has counted them yet.
        rewards: by the indices of their tokens among those of the branch.
    """

    def __init__(self, run: list[int], parent: Self | None) -> None:
        super().__init__(run, parent)
        self.is_new = True
        self.rewards: dict[int, float] = {}

    def split(self, at: int) -> Self:
        before = super().split(at)
        before.is_new = self.is_new
        before.rewards = {place: known for place, known in self.rewards.items() if place < at}
        self.rewards = {place - at: known for place, known in self.rewards.items() if place >= at}
        return before


class ReadTexts:
    """What was read: how much of a text is new, and which of its rewards are known.

    A token takes about as much memory as in a list.
    """

    def __init__(self) -> None:
        self._tree = TokenTree(ReadBranch([], None))

    def add(self, text: Sequence[int]) -> int:
        """Remember a text.

        Returns:
            the number of its last tokens that no earlier text has after the same tokens.
        """
        n_new = 0
        for branch in self._tree.path(text):
            n_new += len(branch.run) if branch.is_new else 0
            branch.is_new = False
        return n_new

    def rewards(self, text: Sequence[int]) -> dict[int, float]:
        """The rewards that are known, by the indices of the tokens at which they were read."""
        start, found = 0, dict[int, float]()
        for branch in self._tree.path(text):
            found |= {start + place: known for place, known in branch.rewards.items()}
            start += len(branch.run)
        return found

    def learn(self, text: Sequence[int], rewards: dict[int, float]) -> None:
        """Remember rewards by the indices of their tokens."""
        start = 0
        for branch in self._tree.path(text):
            end = start + len(branch.run)
            branch.rewards |= {
                place - start: known for place, known in rewards.items() if start <= place < end
            }
            start = end
