"""Questions about events: their years, places and centuries, and which came first."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, Link, calculate, recall
from multirm.data.miniature.facts import load_facts, lookup, others


def draw_history(rng: np.random.Generator) -> Chain:
    """A chain over the events table."""
    events = load_facts("events")
    a, b = sorted(events[i]["name"] for i in rng.choice(len(events), size=2, replace=False))
    return _compared(a, b, rng) if rng.random() < 0.6 else _centuries(a, b)


def _column(name: str) -> list[str]:
    return [row[name] for row in load_facts("events")]


def _recall(value: str, sentence: str, source: int | str) -> Link:
    return recall(
        lookup("events", "name", value), sentence, partial(others, _column(value)), source
    )


def _compared(a: str, b: str, rng: np.random.Generator) -> Chain:
    word = "earlier" if rng.random() < 0.5 else "later"

    def compute(year_a: str, year_b: str) -> str:
        return a if (int(year_a) <= int(year_b)) == (word == "earlier") else b

    links = (
        _recall("year", "The year of {key} is {value}.", a),
        _recall("year", "The year of {key} is {value}.", b),
        Link(
            (0, 1),
            compute,
            lambda year_a, year_b, event: f"The {word} of {year_a} and {year_b} is {event}.",
            lambda year_a, year_b: [b if compute(year_a, year_b) == a else a],
        ),
        _recall("place", "The place of {key} is {value}.", 2),
        recall(
            lookup("events", "place", "country"),
            "The country of {key} is {value}.",
            partial(others, _column("country")),
            3,
        ),
    )
    stem = f"In which country was the {word} of {a} and {b}?"
    return Chain(stem, links, tuple(dict.fromkeys(_column("country"))))


def _centuries(a: str, b: str) -> Chain:
    years = {year: str((int(year) - 1) // 100 + 1) for year in _column("year")}
    first, second = sorted((a, b), key=lambda name: int(lookup("events", "name", "year")[name]))
    century = partial(
        recall,
        years,
        "The century of {key} is {value}.",
        lambda value: [str(int(value) + d) for d in (-2, -1, 1)],
    )
    links = (
        _recall("year", "The year of {key} is {value}.", first),
        century(0),
        _recall("year", "The year of {key} is {value}.", second),
        century(2),
        calculate((1, 3), "Then {1} - {0} = {value}.", lambda m, n: abs(n - m), (-2, -1, 1, 2)),
    )
    stem = f"How many centuries after {first} was {second}?"
    return Chain(stem, links, tuple(str(n) for n in range(14)))
