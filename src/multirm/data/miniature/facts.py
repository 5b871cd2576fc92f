"""The tables of true facts that the miniature's questions are made from."""

import csv
from functools import cache
from importlib import resources


@cache
def load_facts(name: str) -> list[dict[str, str]]:
    """The rows of `facts/{name}.csv`, one dictionary each."""
    file = resources.files("multirm.data.miniature").joinpath("facts", f"{name}.csv")
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


@cache
def lookup(name: str, key: str, value: str) -> dict[str, str]:
    """One column of `facts/{name}.csv` by another."""
    return {row[key]: row[value] for row in load_facts(name)}


def others(values: list[str], true: str, near: int = 3) -> list[str]:
    """The distinct values within `near` positions of `true`: plausible slips of memory."""
    distinct = list(dict.fromkeys(values))
    place = distinct.index(true)
    return [v for v in distinct[max(0, place - near) : place + near + 1] if v != true]
