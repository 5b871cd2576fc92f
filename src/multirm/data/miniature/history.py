"""Questions about events: which came first or last, and where it was."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, Link, compare, recall
from multirm.data.miniature.facts import load_facts, lookup, others


def draw_history(rng: np.random.Generator) -> Chain:
    """A chain over the events table."""
    events = load_facts("events")
    a, b = sorted(events[i]["name"] for i in rng.choice(len(events), size=2, replace=False))
    word = "earlier" if rng.random() < 0.5 else "later"
    asked = "country" if rng.random() < 0.5 else "place"

    links = (
        _recall("name", "year", "The year of {key} is {value}.", a),
        _recall("name", "year", "The year of {key} is {value}.", b),
        compare((0, 1), word, most=word == "later"),
        _recall("year", "name", "The event of {key} is {value}.", 2),
        _recall("name", asked, f"The {asked} of {{key}} is {{value}}.", 3),
    )
    stem = f"What is the {asked} of the {word} of {a} and {b}?"
    return Chain(stem, links, tuple(dict.fromkeys(_column(asked))))


def _column(name: str) -> list[str]:
    return [row[name] for row in load_facts("events")]


def _recall(key: str, value: str, sentence: str, source: int | str) -> Link:
    return recall(lookup("events", key, value), sentence, partial(others, _column(value)), source)
