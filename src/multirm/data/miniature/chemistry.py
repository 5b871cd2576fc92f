"""Questions about the first 36 elements: symbols, atomic numbers, groups, and steps along the table."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, Link, calculate, recall
from multirm.data.miniature.facts import load_facts, lookup, others


def draw_chemistry(rng: np.random.Generator) -> Chain:
    """A chain over the elements table."""
    return _shifted(rng) if rng.random() < 0.6 else _added(rng)


def _column(name: str) -> list[str]:
    return [row[name] for row in load_facts("elements")]


def _recall(key: str, value: str, sentence: str, source: int | str) -> Link:
    return recall(lookup("elements", key, value), sentence, partial(others, _column(value)), source)


def _asked(rng: np.random.Generator, source: int) -> tuple[str, Link, tuple[str, ...]]:
    """What is asked of the element at `source`: in words, as a link, and the possible answers."""
    if rng.random() < 0.5:
        groups = [str(group) for group in range(1, 19)]
        table = lookup("elements", "name", "group")
        link = recall(table, "The group of {key} is {value}.", partial(others, groups), source)
        return "group", link, tuple(groups)
    link = _recall("name", "symbol", "The symbol of {key} is {value}.", source)
    return "symbol", link, tuple(_column("symbol"))


def _shifted(rng: np.random.Generator) -> Chain:
    start = int(rng.integers(1, 31))
    shift = int(rng.integers(1, min(9, 36 - start) + 1))
    symbol = _column("symbol")[start - 1]
    word, asked, fillers = _asked(rng, 3)
    links = (
        _recall("symbol", "name", "The symbol {key} means {value}.", symbol),
        _recall("name", "number", "The number of {key} is {value}.", 0),
        calculate((1,), f"Then {{0}} + {shift} = {{value}}.", lambda n: n + shift, (-2, -1, 1, 2)),
        _recall("number", "name", "The element {key} is {value}.", 2),
        asked,
    )
    stem = f"What is the {word} of the element {shift} places after {symbol}?"
    return Chain(stem, links, fillers)


def _added(rng: np.random.Generator) -> Chain:
    first = int(rng.integers(1, 26))
    second = int(rng.integers(1, min(18, 36 - first) + 1))
    names = _column("name")
    a, b = (names[number - 1] for number in sorted((first, second)))
    word, asked, fillers = _asked(rng, 3)
    links = (
        _recall("name", "number", "The number of {key} is {value}.", a),
        _recall("name", "number", "The number of {key} is {value}.", b),
        calculate((0, 1), "Then {0} + {1} = {value}.", lambda m, n: m + n, (-2, -1, 1, 2)),
        _recall("number", "name", "The element {key} is {value}.", 2),
        asked,
    )
    stem = f"The numbers of {a} and {b} add up to an element. What is its {word}?"
    return Chain(stem, links, fillers)
