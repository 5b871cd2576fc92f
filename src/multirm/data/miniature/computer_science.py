"""Questions about the complexity of algorithms, and about protocols and their ports."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, calculate, compare, recall
from multirm.data.miniature.facts import load_facts, lookup, others

SIZES = (2, 4, 8)


def draw_computer_science(rng: np.random.Generator) -> Chain:
    """A chain over the algorithms table or the protocols table."""
    return _growth(rng) if rng.random() < 0.5 else _ports(rng)


def _steps(size: int) -> dict[str, str]:
    logarithm = size.bit_length() - 1
    values = {"1": 1, "log n": logarithm, "n": size, "n log n": size * logarithm, "n^2": size**2}
    return {growth: str(value) for growth, value in values.items()}


def _growth(rng: np.random.Generator) -> Chain:
    algorithms = load_facts("algorithms")
    size = SIZES[int(rng.integers(len(SIZES)))]
    steps = _steps(size)
    growth = lookup("algorithms", "name", "growth")
    a, b = sorted(algorithms[i]["name"] for i in rng.choice(len(algorithms), size=2, replace=False))
    more, fewer = sorted((a, b), key=lambda name: -int(steps[growth[name]]))
    recall_growth = partial(
        recall, growth, "The growth of {key} is {value}.", partial(others, list(steps), near=2)
    )
    evaluate = partial(
        recall,
        steps,
        f"For n = {size}, {{key}} is {{value}}.",
        lambda value: [str(int(value) + d) for d in (-2, -1, 1, 2) if int(value) + d > 0],
    )
    total = bool(rng.random() < 0.5)
    last = "Then {0} + {1} = {value}." if total else "Then {0} - {1} = {value}."
    links = (
        recall_growth(more),
        evaluate(0),
        recall_growth(fewer),
        evaluate(2),
        calculate((1, 3), last, lambda m, n: m + n if total else abs(m - n), (-2, -1, 1, 2)),
    )
    asked = (
        f"steps do {more} and {fewer} take"
        if total
        else f"more steps does {more} take than {fewer}"
    )
    stem = f"How many {asked} for n = {size} at worst?"
    return Chain(stem, links, tuple(str(n) for n in range(20)))


def _ports(rng: np.random.Generator) -> Chain:
    protocols = load_facts("protocols")
    a, b = sorted(protocols[i]["name"] for i in rng.choice(len(protocols), size=2, replace=False))
    word = "lower" if rng.random() < 0.5 else "higher"
    ports = [row["port"] for row in protocols]
    digits = [row["hexadecimal"] for row in protocols]
    recall_port = partial(
        recall,
        lookup("protocols", "name", "port"),
        "The port of {key} is {value}.",
        partial(others, ports),
    )

    links = (
        recall_port(a),
        recall_port(b),
        compare((0, 1), word, most=word == "higher"),
        recall(
            lookup("protocols", "port", "hexadecimal"),
            "The port {key} is {value} in hexadecimal.",
            partial(others, digits),
            2,
        ),
    )
    stem = f"What is the {word} port of {a} and {b} in hexadecimal?"
    return Chain(stem, links, tuple(digits))
