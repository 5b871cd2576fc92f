"""The texts of single questions, from a database of views over tables: questions, steps, critiques and trees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from multirm.database.question_pools import views_in
from multirm.tables.reward_models import Kind
from multirm.text.verdicts import find_verdict

_QUESTIONS = """
    SELECT question_id, any_value(question) AS question, any_value({options}) AS options,
        any_value(answer) AS answer
    FROM {view} JOIN wanted USING (question_id)
    WHERE dataset = $dataset AND category = $category GROUP BY question_id
"""

_STEPS = """
    SELECT question_id, solution_id, {text} AS steps
    FROM {view} JOIN wanted USING (question_id)
    WHERE dataset = $dataset AND category = $category {only}
    QUALIFY row_number() OVER (PARTITION BY question_id, solution_id ORDER BY file) = 1
"""

_CRITIQUES = """
    SELECT question_id, solution_id, model, critique_id, critique, reward, reason, truncated
    FROM scored_critiques JOIN wanted USING (question_id, solution_id)
    WHERE dataset = $dataset AND category = $category
    QUALIFY row_number() OVER (
        PARTITION BY question_id, solution_id, model, critique_id ORDER BY file
    ) = 1
    ORDER BY question_id, solution_id, model, critique_id
"""

_SEARCH_NODES = """
    SELECT question_id, search AS name, node, parent, text, coalesce(value, reward) AS worth, visits AS n,
        "end", parsed_answer, outcome
    FROM search_nodes JOIN wanted USING (question_id)
    WHERE dataset = $dataset AND category = $category
    QUALIFY row_number() OVER (PARTITION BY question_id, search, node ORDER BY file) = 1
    ORDER BY question_id, search, node
"""

_NODES = """
    SELECT question_id, '' AS name, node, parent, text, value AS worth, len(solution_ids) AS n,
        NULL AS "end", NULL AS parsed_answer, NULL AS outcome
    FROM nodes JOIN wanted USING (question_id)
    WHERE dataset = $dataset AND category = $category
    QUALIFY row_number() OVER (PARTITION BY question_id, node ORDER BY file) = 1
    ORDER BY question_id, node
"""

_TREES = {"search_nodes": _SEARCH_NODES, "nodes": _NODES}


@dataclass(frozen=True)
class Critique:
    """A sampled critique of a solution.

    Attributes:
        reward: its probability of Yes; None without a verdict.
        reason: why it has no reward.
        verdict: the start and end of its `Yes` or `No`; None if none was found.
    """

    text: str
    reward: float | None
    reason: str | None
    truncated: bool
    verdict: tuple[int, int] | None


@dataclass(frozen=True)
class Tree:
    """The tree of one question.

    Attributes:
        search: the name of the search; empty for a preference tree.
        nodes: rows with node, parent, text, worth (value or reward), n (visits, or solutions through the node), end,
            parsed_answer and outcome; parents come before their children.
    """

    search: str
    nodes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Texts:
    """What is written about one question.

    Attributes:
        question: its text; None if no table has it.
        options: of a multiple-choice question, in the order of their letters.
        answer: the reference answer.
        steps: of each solution, by id; a sample that is no solution has its text as its only step.
        critiques: by solution id and model, in the order of their ids.
        trees: of searches, and the preference tree.
    """

    question: str | None = None
    options: Sequence[str] | None = None
    answer: str | None = None
    steps: dict[int, list[str]] = field(default_factory=dict)
    critiques: dict[tuple[int, str], list[Critique]] = field(default_factory=dict)
    trees: list[Tree] = field(default_factory=list)


def read_texts(
    database: duckdb.DuckDBPyConnection,
    dataset: str,
    category: str,
    question_ids: Iterable[str],
) -> dict[str, Texts]:
    """The question, the steps of all solutions and the trees of some questions of a category, by question id."""
    ids, views = list(question_ids), views_in(database)
    given = {"dataset": dataset, "category": category}
    database.register("wanted", pa.table({"question_id": pa.array(ids, pa.string())}))
    found: dict[str, dict[str, Any]] = {each: {} for each in ids}
    # The table of questions has the options, too.
    for view, options in (("solutions", "NULL"), ("questions", "options")):
        if view in views:
            query = _QUESTIONS.format(view=view, options=options)
            for row in database.sql(query, params=given).to_arrow_table().to_pylist():
                known = {name: value for name, value in row.items() if value is not None}
                found[known.pop("question_id")].update(known)
    texts = {each: Texts(**known) for each, known in found.items()}
    only = "AND samples.reason IS NOT NULL"
    for view, text, which in (("solutions", "steps", ""), ("samples", "[text]", only)):
        if view in views:
            query = _STEPS.format(view=view, text=text, only=which)
            for row in database.sql(query, params=given).to_arrow_table().to_pylist():
                texts[row["question_id"]].steps[row["solution_id"]] = row["steps"]
    for view, query in _TREES.items():
        if view in views:
            for (question_id, search), nodes in _grouped(
                database.sql(query, params=given).to_arrow_table().to_pylist()
            ).items():
                texts[question_id].trees.append(Tree(search, nodes))
    database.unregister("wanted")
    return texts


def _grouped(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row.pop("question_id"), row.pop("name")), []).append(row)
    return groups


def read_critiques(
    database: duckdb.DuckDBPyConnection,
    dataset: str,
    category: str,
    solutions: Iterable[tuple[str, int]],
    kinds: Mapping[str, Kind | None],
) -> dict[tuple[str, int, str], list[Critique]]:
    """The scored critiques of some solutions, by question id, solution id and model.

    Args:
        kinds: of reward models, which says what their verdicts look like.
    """
    pairs = list(solutions)
    if "scored_critiques" not in views_in(database) or not pairs:
        return {}
    questions, ids = zip(*pairs, strict=True)
    wanted = {
        "question_id": pa.array(questions, pa.string()),
        "solution_id": pa.array(ids, pa.int32()),
    }
    database.register("wanted", pa.table(wanted))
    given = {"dataset": dataset, "category": category}
    found: dict[tuple[str, int, str], list[Critique]] = {}
    for row in database.sql(_CRITIQUES, params=given).to_arrow_table().to_pylist():
        key = row["question_id"], row["solution_id"], row["model"]
        span = verdict_span(row["critique"], kinds.get(row["model"]))
        found.setdefault(key, []).append(
            Critique(row["critique"], row["reward"], row["reason"], row["truncated"], span)
        )
    database.unregister("wanted")
    return found


def verdict_span(critique: str, kind: Kind | None) -> tuple[int, int] | None:
    """Where the `Yes` or `No` of a critique's last verdict stands; None if it has none.

    Args:
        kind: of the reward model that wrote it; without one, verdicts of either form are looked for.
    """
    kinds = [kind] if kind and kind.is_generative else [Kind.GORM, Kind.GPRM]
    verdicts = [verdict for each in kinds if (verdict := find_verdict(each, critique))]
    return max((verdict.span(1) for verdict in verdicts), default=None)
