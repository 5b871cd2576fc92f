"""Entry point `extract_pairs`: pairs of siblings in preference trees whose values differ (OpenPRM)."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import Parameter

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.files import digest
from multirm.running.numbers import Count, CountOrZero, PositiveOrZero, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.nodes import NODES
from multirm.tables.preferences import PREFERENCES, GapUnit, PreferenceKind, Prefix, Siblings
from multirm.tables.questions import QUESTIONS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS
from multirm.text.segments import Segments
from multirm.trees.pairs import Node, Pair, PairRule, outcome_pairs, process_pairs

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 10_000


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PairOptions:
    """Which pairs are made of a tree.

    Attributes:
        gap: how much the values of two siblings must differ at least.
        unit: what the gap is measured in.
        min_leaves: how many rewards each value must be the mean of at least.
        siblings: which children of a node are compared.
        prefix: which wording both sides have before they part.
        per_question: how many pairs of siblings to keep of a question: those that differ most; by default all.
        n_outcome_pairs: how many pairs of whole solutions to draw per question, too.
        seed: seed of the study.
    """

    gap: PositiveOrZero = 0.2
    unit: GapUnit = GapUnit.RAW
    min_leaves: Count = 2
    siblings: Siblings = Siblings.EXTREMES
    prefix: Prefix = Prefix.OWN
    per_question: Count | None = None
    n_outcome_pairs: CountOrZero = 0
    seed: Seed = 42


PAIRS = PairOptions()


@entry
def extract_pairs(
    trees: Path, solutions: Path, output: OutputFile, *, options: PairOptions = PAIRS
) -> None:
    """Write the pairs of steps, and of whole solutions, that preference trees hold.

    A pair's sides are the beginnings of two solutions up to where they say different things, the better one first.
    Pairs that say the same as an earlier one of their question are left out.

    Args:
        trees: table of nodes.
        solutions: the solutions that it was made from.
        output: table of preferences.
        options: which pairs are made.

    Raises:
        InputError: the trees were made from other solutions; nothing is written.
    """
    segments = _segments(trees, solutions)
    gap = options.gap
    if options.unit is GapUnit.STANDARD_DEVIATION:
        gap *= standard_deviation(_roots(trees))
    rule = PairRule(gap, options.min_leaves, options.siblings)
    counts = dict.fromkeys(PreferenceKind, 0)
    n_questions = n_repeated = 0
    origin = origin_of(__name__, {**asdict(options), "gap_in_units": gap}, [trees, solutions])
    with parquet.writing(output, PREFERENCES, origin) as add:
        waiting: list[dict[str, Any]] = []
        for nodes, pool in _together(trees, solutions):
            rows = preferences_of(nodes, pool, segments, rule, options)
            new = without_repeated(rows)
            n_questions += 1
            n_repeated += len(rows) - len(new)
            for row in new:
                counts[row["kind"]] += 1
            waiting += [{**row, "pair_id": place} for place, row in enumerate(new)]
            if len(waiting) >= _ROWS_AT_ONCE:
                add(waiting)
                waiting = []
        add(waiting)
    logger.info(
        "%d pairs of siblings and %d of whole solutions, of %d questions; %d repeated ones left out",
        counts[PreferenceKind.PROCESS],
        counts[PreferenceKind.OUTCOME],
        n_questions,
        n_repeated,
    )
    if not any(counts.values()):
        logger.warning("no two values differ by %g: there are no pairs", gap)


def preferences_of(
    nodes: Sequence[Row],
    pool: Sequence[Row],
    segments: Segments,
    rule: PairRule,
    options: PairOptions,
) -> list[dict[str, Any]]:
    """Rows of the table of preferences, without their number, of one question: siblings first, then whole solutions.

    Args:
        nodes: the rows of its tree, in order.
        pool: the solutions to it.
        segments: where solutions were divided.
    """
    key = {name: nodes[0][name] for name in QUESTIONS.key}
    generator = item_generator(options.seed, "extract_pairs", *key.values())
    divided = {row["solution_id"]: segments.of(row["steps"]) for row in pool}
    tree = [
        Node(row["node"], row["parent"], row["value"], row["n_leaves"], row["solution_ids"])
        for row in nodes
    ]
    pairs = list(process_pairs(tree, rule))
    if options.per_question is not None:
        drawn = generator.permutation(len(pairs))
        order = sorted(range(len(pairs)), key=lambda k: (-_difference(pairs[k]), drawn[k]))
        pairs = [pairs[k] for k in sorted(order[: options.per_question])]

    def wording(node: Node) -> list[str]:
        if options.prefix is Prefix.SHARED:
            return [nodes[each]["text"] for each in _path(nodes, node.node)]
        return divided[node.answers[0]][: nodes[node.node]["depth"]]

    question = {**key, "question": pool[0]["question"]}
    rows = [
        {
            **question,
            "kind": PreferenceKind.PROCESS,
            **_side("chosen", wording(pair.chosen), pair.chosen),
            **_side("rejected", wording(pair.rejected), pair.rejected),
            "margin": _difference(pair),
        }
        for pair in pairs
    ]
    return rows + _outcome_rows(question, nodes[0], divided, rule.gap, options, generator)


def _outcome_rows(
    question: Mapping[str, Any],
    root: Row,
    divided: Mapping[int, list[str]],
    gap: float,
    options: PairOptions,
    generator: np.random.Generator,
) -> list[dict[str, Any]]:
    """Rows of pairs of whole solutions; those without any segment are in none."""
    ends = [
        Node(0, None, reward, int(reward is not None), [solution_id])
        for solution_id, reward in zip(root["solution_ids"], root["rewards"], strict=True)
        if divided[solution_id]
    ]
    rewards = np.array([end.value for end in ends], dtype=np.float64)
    drawn = outcome_pairs(rewards, gap, options.n_outcome_pairs, generator)
    return [
        {
            **question,
            "kind": PreferenceKind.OUTCOME,
            **_side("chosen", divided[ends[better].answers[0]], ends[better]),
            **_side("rejected", divided[ends[worse].answers[0]], ends[worse]),
            "margin": _difference(Pair(ends[better], ends[worse])),
        }
        for better, worse in drawn
    ]


def without_repeated(rows: Iterable[Row]) -> list[Row]:
    """The rows whose two sides together are not those of an earlier row."""
    sides: dict[tuple[tuple[str, ...], ...], Row] = {}
    for row in rows:
        sides.setdefault((tuple(row["chosen"]), tuple(row["rejected"])), row)
    return [row for (chosen, rejected), row in sides.items() if chosen != rejected]


def standard_deviation(roots: Iterable[Row]) -> float:
    """The standard deviation of the rewards of all solutions, from the roots of their trees; 0 for fewer than two."""
    rewards = [reward for row in roots for reward in row["rewards"] if reward is not None]
    return float(np.std(rewards, ddof=1)) if len(rewards) > 1 else 0.0


def _side(name: str, wording: list[str], node: Node) -> dict[str, Any]:
    return {
        name: wording,
        f"{name}_solution_id": node.answers[0],
        f"{name}_value": node.value,
        f"{name}_n_leaves": node.n_leaves,
    }


def _difference(pair: Pair) -> float:
    assert pair.chosen.value is not None and pair.rejected.value is not None
    return pair.chosen.value - pair.rejected.value


def _path(nodes: Sequence[Row], node: int) -> list[int]:
    """The numbers of the nodes from the first segment to a node."""
    path = []
    while (parent := nodes[node]["parent"]) is not None:
        path.append(node)
        node = parent
    return path[::-1]


def _segments(trees: Path, solutions: Path) -> Segments:
    """Where the solutions of trees were divided, from the trees' footer.

    Raises:
        InputError: they were made from other solutions.
    """
    footer = parquet.read_footer(trees)
    if digest(solutions) not in footer.inputs.values():
        raise InputError(
            solutions,
            expected=f"the solutions that {trees} was made from",
            found="others",
            remedy="give those, or make the trees anew by multirm build-trees",
        )
    return Segments(footer.parameters["segments"])


def _roots(trees: Path) -> Iterator[Row]:
    for nodes in parquet.read_groups(trees, NODES, QUESTIONS.key):
        yield nodes[0]


def _together(trees: Path, solutions: Path) -> Iterator[tuple[list[Row], list[Row]]]:
    """The nodes and the solutions of each question; both tables have the questions in the same order."""
    yield from zip(
        parquet.read_groups(trees, NODES, QUESTIONS.key),
        parquet.read_groups(solutions, SOLUTIONS, QUESTIONS.key),
        strict=True,
    )
