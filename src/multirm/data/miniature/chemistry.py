"""Questions about the first 18 elements: symbols, atomic numbers, groups, and positions in the table."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, Link, calculate, recall
from multirm.data.miniature.facts import load_facts, lookup, others


def _column(name: str) -> list[str]:
    return [row[name] for row in load_facts("elements")]


def _recall(key: str, value: str, sentence: str, source: int | str) -> Link:
    return recall(lookup("elements", key, value), sentence, partial(others, _column(value)), source)


def _asked(rng: np.random.Generator, source: int) -> tuple[str, Link, tuple[str, ...]]:
    """What is asked about the element at `source`: its name, its link, and the possible answers."""
    if rng.random() < 0.5:
        groups = [str(group) for group in range(1, 19)]
        table = lookup("elements", "name", "group")
        link = recall(table, "The group of {key} is {value}.", partial(others, groups), source)
        return "group", link, tuple(groups)
    link = _recall("name", "symbol", "The symbol of {key} is {value}.", source)
    return "symbol", link, tuple(_column("symbol"))


def draw_chemistry(rng: np.random.Generator) -> Chain:
    """A chain over the elements table."""
    names, symbols = _column("name"), _column("symbol")
    shift = int(rng.integers(1, 4)) * (1 if rng.random() < 0.5 else -1)
    first, last = max(1, 1 - shift), min(len(names), len(names) - shift)
    start = int(rng.integers(first, last + 1)) - 1
    sign, place = ("+", "after") if shift > 0 else ("-", "before")
    by_symbol = rng.random() < 0.5
    given = symbols[start] if by_symbol else names[start]
    spelled = (_recall("symbol", "name", "The symbol {key} means {value}.", given),)
    number = "The number of {key} is {value}."
    n = int(by_symbol)
    word, asked, fillers = _asked(rng, n + 2)
    links = (
        *(spelled if by_symbol else ()),
        _recall("name", "number", number, 0 if by_symbol else given),
        calculate(
            (n,),
            f"Then {{0}} {sign} {abs(shift)} = {{value}}.",
            lambda number: number + shift,
            (-2, -1, 1, 2),
        ),
        _recall("number", "name", "The element {key} is {value}.", n + 1),
        asked,
    )
    stem = f"What is the {word} of the element {abs(shift)} {place} {given}?"
    return Chain(stem, links, fillers)
