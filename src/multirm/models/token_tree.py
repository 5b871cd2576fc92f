"""Texts of token ids that begin alike, as a tree: each token of a common prefix is in it once."""

from __future__ import annotations

from collections.abc import Sequence

from multirm.models.packing import n_shared


class TokenTree:
    """Remembers texts, to tell how much of another one is new. A token takes about as much memory as in a list."""

    def __init__(self) -> None:
        # For each token that may come next, the run of tokens up to the next branch, and what follows it.
        self._branches: dict[int, tuple[list[int], TokenTree]] = {}

    def add(self, text: Sequence[int]) -> int:
        """Remember a text.

        Returns:
            the number of its last tokens that no earlier text has after the same tokens.
        """
        tree, start = self, 0
        while start < len(text):
            first = text[start]
            if first not in tree._branches:
                tree._branches[first] = (list(text[start:]), TokenTree())
                return len(text) - start
            run, rest = tree._branches[first]
            shared = n_shared(run, text[start : start + len(run)])
            if shared < len(run):
                later = TokenTree()
                later._branches[run[shared]] = (run[shared:], rest)
                tree._branches[first] = (run[:shared], later)
                rest = later
            tree, start = rest, start + shared
        return 0
