"""Generators keyed by item: the same item draws the same numbers, whatever runs before or beside it."""

import hashlib

import numpy as np


def item_seed(seed: int, *key: object) -> int:
    """A 64-bit seed for the item named by `key` (strings and integers) under the study's `seed`."""
    text = "\x1f".join([str(seed), *map(str, key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def item_generator(seed: int, *key: object) -> np.random.Generator:
    """A numpy generator for the item named by `key`, independent of every other item's."""
    return np.random.default_rng(item_seed(seed, *key))
