"""Chains of look-ups and small calculations, from which questions and solutions are made.

A chain can be walked with errors at chosen steps; later steps then work with the wrong value, as a person would.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """One step of a chain.

    Attributes:
        inputs: the positions of the earlier links whose values this one uses.
        compute: returns the true value for given inputs; raises `LookupError` if there is none.
        tell: returns the sentence that states inputs and value.
        slips: returns plausible wrong values, given the inputs.
        worked_out: whether the value is calculated or compared rather than looked up.
    """

    inputs: tuple[int, ...]
    compute: Callable[..., str]
    tell: Callable[..., str]
    slips: Callable[..., list[str]]
    worked_out: bool = False


@dataclass(frozen=True)
class Chain:
    """A question without its options, and the links whose last value answers it.

    Attributes:
        stem: the question's sentence, unique to the chain.
        fillers: values of the same kind as the answer, to fill up the options.
    """

    stem: str
    links: tuple[Link, ...]
    fillers: tuple[str, ...]


@dataclass(frozen=True)
class Walk:
    """A chain's values and sentences, one per link, and whether each sentence has only true values."""

    values: list[str]
    sentences: list[str]
    labels: list[int]


def walk(chain: Chain, slips: Mapping[int, str] | None = None) -> Walk:
    """Walk through `chain`, with the wrong values in `slips` at these links.

    Raises:
        LookupError: a later link has no value for a wrong input.
    """
    true = walk(chain) if slips else None
    values: list[str] = []
    sentences = []
    for position, link in enumerate(chain.links):
        inputs = [values[i] for i in link.inputs]
        value = (slips or {}).get(position) or link.compute(*inputs)
        values.append(value)
        sentences.append(link.tell(*inputs, value))
    if true is None:
        return Walk(values, sentences, [1] * len(values))
    right = [value == other for value, other in zip(values, true.values, strict=True)]
    labels = [
        int(right[position] and all(right[i] for i in link.inputs))
        for position, link in enumerate(chain.links)
    ]
    return Walk(values, sentences, labels)


def harmful_slips(chain: Chain) -> list[tuple[int, str, str]]:
    """Every slip that leads to a wrong answer: the link, its wrong value, and that answer."""
    true = walk(chain)
    found = []
    for position, link in enumerate(chain.links):
        for value in link.slips(*(true.values[i] for i in link.inputs)):
            try:
                end = walk(chain, {position: value}).values[-1]
            except LookupError:
                continue
            if end != true.values[-1]:
                found.append((position, value, end))
    return found


def recall(
    table: Mapping[str, str], sentence: str, slips: Callable[[str], list[str]], source: int | str
) -> Link:
    """A link that looks something up; `sentence` has placeholders `{key}` and `{value}`.

    Args:
        source: the position of the link whose value is looked up, or the key itself.
    """
    if isinstance(source, str):
        return Link(
            (),
            lambda: table[source],
            lambda value: sentence.format(key=source, value=value),
            lambda: slips(table[source]),
        )
    return Link(
        (source,),
        lambda key: table[key],
        lambda key, value: sentence.format(key=key, value=value),
        lambda key: slips(table[key]),
    )


def calculate(
    inputs: tuple[int, ...], sentence: str, formula: Callable[..., int], distances: Sequence[int]
) -> Link:
    """A link that calculates with integers; a slip is off by one of `distances`.

    `sentence` has placeholders `{0}`, `{1}`, … for the inputs, and `{value}`.
    """

    def compute(*values: str) -> str:
        return str(formula(*map(int, values)))

    def slips(*values: str) -> list[str]:
        result = int(compute(*values))
        return [str(result + d) for d in distances if result + d >= 0]

    def tell(*values: str) -> str:
        return sentence.format(*values[:-1], value=values[-1])

    return Link(inputs, compute, tell, slips, worked_out=True)


def compare(inputs: tuple[int, int], word: str, most: bool) -> Link:
    """A link that takes the larger (`most`) or the smaller of two numbers; a slip takes the other.

    Args:
        word: the name of this comparison, such as "later" or "lower".
    """

    def compute(a: str, b: str) -> str:
        return (max if most else min)(a, b, key=int)

    def slips(a: str, b: str) -> list[str]:
        return [value for value in (a, b) if value != compute(a, b)]

    def tell(a: str, b: str, value: str) -> str:
        return f"The {word} of {a} and {b} is {value}."

    return Link(inputs, compute, tell, slips, worked_out=True)
