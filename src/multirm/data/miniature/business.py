"""Questions about profits and interest: currencies by city, counting words, and small products."""

from functools import partial

import numpy as np

from multirm.data.miniature.chains import Chain, Link, calculate, recall
from multirm.data.miniature.facts import load_facts, lookup, others


def draw_business(rng: np.random.Generator) -> Chain:
    """A chain over the currencies and measures tables."""
    currencies = load_facts("currencies")
    city = currencies[int(rng.integers(len(currencies)))]["city"]
    return _profit(city, rng) if rng.random() < 0.5 else _interest(city, rng)


def _currency(city: str) -> tuple[Link, Link]:
    countries = [row["country"] for row in load_facts("currencies")]
    codes = [row["code"] for row in load_facts("currencies")]
    return (
        recall(
            lookup("currencies", "city", "country"),
            "The city {key} is in {value}.",
            partial(others, countries),
            city,
        ),
        recall(
            lookup("currencies", "country", "code"),
            "The currency of {key} is {value}.",
            partial(others, codes),
            0,
        ),
    )


def _amount(number: int, code: int) -> Link:
    """The answer: a number and its currency."""
    return Link(
        (number, code),
        lambda amount, currency: f"{amount} {currency}",
        lambda amount, currency, value: f"That makes {value}.",
        lambda amount, currency: [],
    )


def _fillers(amounts: list[int], city: str) -> tuple[str, ...]:
    code = next(row["code"] for row in load_facts("currencies") if row["city"] == city)
    return tuple(f"{amount} {code}" for amount in amounts if amount > 0)


def _profit(city: str, rng: np.random.Generator) -> Chain:
    measures = load_facts("measures")
    measure = measures[int(rng.integers(len(measures)))]
    cost, profit = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    price = cost + profit
    counts = [row["count"] for row in measures]
    links = (
        *_currency(city),
        calculate((), f"Then {price} - {cost} = {{value}}.", lambda: profit, (-2, -1, 1, 2)),
        recall(
            lookup("measures", "name", "count"),
            "The count of a {key} is {value}.",
            partial(others, counts, near=2),
            measure["name"],
        ),
        calculate((3, 2), "Then {0} * {1} = {value}.", lambda n, each: n * each, (-2, -1, 1, 10)),
        _amount(4, 1),
    )
    stem = (
        f"A shop in {city} buys at {cost} and sells at {price}. What does a {measure['name']} earn?"
    )
    total = profit * int(measure["count"])
    return Chain(stem, links, _fillers([total + d for d in (3, 4, 5, 6, 8, 12, 20, 24)], city))


def _interest(city: str, rng: np.random.Generator) -> Chain:
    principal, rate = int(rng.integers(2, 5)) * 100, int(rng.integers(2, 6))
    years = int(rng.integers(2, 4))
    yearly = principal * rate // 100
    links = (
        *_currency(city),
        calculate(
            (), f"Then {rate} % of {principal} is {{value}}.", lambda: yearly, (-2, -1, 1, 10)
        ),
        calculate((2,), f"Then {years} * {{0}} = {{value}}.", lambda n: years * n, (-2, -1, 1, 10)),
        _amount(3, 1),
    )
    stem = (
        f"A bank in {city} pays {rate} % a year on {principal}. What does it pay in {years} years?"
    )
    total = years * yearly
    return Chain(stem, links, _fillers([total + d for d in (3, 4, 5, 6, 8, 12, 20, 24)], city))
