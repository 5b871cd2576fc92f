"""The tree of one search: what each step was worth, how often it was visited, and how solutions end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.errors import InputError, escaped, shown
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.titles import title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.schema import Row
from multirm.tables.search_nodes import SEARCH_NODES, SearchEnd

GOES_ON, RIGHT, WRONG = "Step", "Finished, right", "Finished, wrong"
UNJUDGED, UNFINISHED = "Finished, not judged", "Overrun, looped or without reward"

# Shapes tell ends apart without colours, too.
LOOKS = {
    GOES_ON: ("circle", "#888888"),
    RIGHT: ("triangle-up", "#0E7C3A"),
    WRONG: ("square", "#B8390E"),
    UNJUDGED: ("diamond", "#222222"),
    UNFINISHED: ("cross", "#222222"),
}

_WIDTH = theme.WIDTH - 90
_LEVEL, _TALLEST = 44, 640
_SMALLEST, _LARGEST = 40, 320

# Beneath a leaf, if there is room; in a tooltip.
_LABEL, _MOST_LABELS, _TEXT = 8, 20, 160

_TOOLTIP = [
    alt.Tooltip("text:N", title="Step"),
    alt.Tooltip("worth:Q", title="Value or reward", format=".3f"),
    alt.Tooltip("visits:Q", title="Visits"),
    alt.Tooltip("end:N", title="End"),
    alt.Tooltip("answer:N", title="Answer"),
    alt.Tooltip("tokens:Q", title="Tokens"),
]


@entry
def draw_search_tree(
    search_nodes: Path,
    output: list[OutputFile],
    search: str | None = None,
    category: str | None = None,
    question_id: str | None = None,
) -> None:
    """Draw the tree of one question's search; without further options, the first tree of the table.

    Args:
        search_nodes: A search_nodes table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        search: The name of the search.
        category: The question's category.
        question_id: The question's id.

    Raises:
        InputError: the table has no such tree.
    """
    check_formats(output)
    rows = parquet.read(search_nodes, SEARCH_NODES).to_pylist()
    given = {"search": search, "category": category, "question_id": question_id}
    wanted = {name: value for name, value in given.items() if value is not None}
    found = tree_of(rows, wanted)
    if not found and wanted:
        said = ", ".join(f"{name} {shown(value)}" for name, value in wanted.items())
        raise InputError(search_nodes, expected=f"a tree of {said}", found="none")
    write_figure(chart(found), output, __name__, wanted, [search_nodes])


def tree_of(rows: Sequence[Row], wanted: Mapping[str, str]) -> list[Row]:
    """The nodes of the first tree whose columns have some values."""
    matching = [row for row in rows if wanted.items() <= row.items()]
    key = ("search", *QUESTIONS.key)
    return [row for row in matching if all(row[name] == matching[0][name] for name in key)]


def chart(nodes: Sequence[Row]) -> alt.VConcatChart:
    """The figure.

    Args:
        nodes: rows of the search_nodes table: one tree, parents before their children; none if there are no questions.
    """
    if not nodes:
        heading = title("Search tree", "no question", [], _WIDTH)
        return alt.vconcat(nothing("no tree to draw"), title=heading)
    places = placed({row["node"]: row["parent"] for row in nodes})
    # MCTS has a value per node; of other searches, the reward is all that is known.
    worth = "value" if any(row["value"] is not None for row in nodes) else "reward"
    values = [_value(row, places[row["node"]], worth) for row in nodes]
    depth = max(row["depth"] for row in nodes)
    heading = title(
        f"Search tree of {nodes[0]['search']}", _question(nodes[0]), _said(nodes, worth), _WIDTH
    )
    layers = [_edges(values), *_points(values, depth, worth), *_labels(values, depth)]
    height = min(_TALLEST, _LEVEL * max(depth, 1))
    drawn = alt.LayerChart(layer=layers).properties(width=_WIDTH, height=height)
    return alt.vconcat(drawn.resolve_scale(size="independent"), title=heading)


def placed(parents: Mapping[int, int | None]) -> dict[int, float]:
    """Where nodes stand from left to right, so that no branches cross: leaves 1 apart, others amid their children.

    Args:
        parents: of the nodes; every parent stands before its children, and has a lower number.
    """
    children: dict[int | None, list[int]] = {}
    for node, parent in parents.items():
        children.setdefault(parent, []).append(node)
    places: dict[int, float] = {}
    # Without recursion: trees may be deeper than Python's stack.
    waiting = children.get(None, [])[::-1]
    while waiting:
        node = waiting.pop()
        if node in children:
            waiting.extend(reversed(children[node]))
        else:
            places[node] = float(len(places))
    for inner in reversed(list(parents)):
        if inner in children:
            own = [places[child] for child in children[inner]]
            places[inner] = (min(own) + max(own)) / 2
    return places


def end_of(row: Row) -> str:
    """How a node ends, as the legend calls it."""
    if row["end"] is None:
        return GOES_ON
    if row["end"] != SearchEnd.FINISHED:
        return UNFINISHED
    return {1: RIGHT, 0: WRONG, None: UNJUDGED}[row["outcome"]]


def _value(row: Row, place: float, worth: str) -> dict[str, Any]:
    return {
        "node": row["node"],
        "parent": row["parent"],
        "x": place,
        "depth": row["depth"],
        "worth": row[worth],
        "visits": row["visits"],
        "end": end_of(row),
        "answer": "none" if row["parsed_answer"] is None else cut(row["parsed_answer"], _TEXT),
        "label": cut(row["parsed_answer"] or "", _LABEL),
        "text": cut(row["text"], _TEXT) or "the question",
        "tokens": row["n_tokens"],
    }


def cut(text: str, length: int) -> str:
    """A text of at most some characters, with control characters escaped."""
    # Escaping may only lengthen a text, so no more of it is needed.
    safe = escaped(text[: length + 1])
    return safe if len(safe) <= length else f"{safe[: length - 1]}…"


def _x(values: Sequence[Mapping[str, Any]]) -> alt.Scale:
    last = max(value["x"] for value in values)
    return alt.Scale(domain=[-0.5, last + 0.5], nice=False, zero=False)


def _edges(values: Sequence[dict[str, Any]]) -> alt.Chart:
    known = {value["node"]: value for value in values}
    rows = [
        {
            "x": known[value["parent"]]["x"],
            "depth": known[value["parent"]]["depth"],
            "x2": value["x"],
            "depth2": value["depth"],
        }
        for value in values
        if value["parent"] is not None
    ]
    base = alt.Chart(alt.InlineData(values=rows)).mark_rule(color="#BBBBBB", strokeWidth=1)
    deepest = max(value["depth"] for value in values)
    return base.encode(
        x=alt.X("x:Q", scale=_x(values), axis=None),
        x2="x2:Q",
        y=_y(deepest),
        y2="depth2:Q",
    )


def _y(deepest: int) -> alt.Y:
    return alt.Y("depth:Q", scale=alt.Scale(domain=[max(deepest, 1), 0], nice=False), axis=None)


def _points(values: Sequence[dict[str, Any]], depth: int, worth: str) -> list[alt.Chart]:
    """The nodes whose worth is known, and the others in white."""
    found = [name for name in LOOKS if any(value["end"] == name for value in values)]
    visits = max(value["visits"] for value in values)
    base = alt.Chart(alt.InlineData(values=list(values))).mark_point(
        strokeWidth=2, fillOpacity=1, opacity=1
    )
    fill = alt.Fill(
        "worth:Q",
        scale=alt.Scale(scheme="blues", zero=False),
        legend=alt.Legend(title=worth.capitalize(), gradientLength=80),
    )
    base = base.encode(
        x=alt.X("x:Q", scale=_x(values), axis=None),
        y=_y(depth),
        shape=alt.Shape(
            "end:N",
            scale=alt.Scale(domain=found, range=[LOOKS[name][0] for name in found]),
            legend=alt.Legend(title=None, orient="bottom", columns=3, labelLimit=220),
        ),
        stroke=alt.Stroke(
            "end:N",
            scale=alt.Scale(domain=found, range=[LOOKS[name][1] for name in found]),
            legend=alt.Legend(title=None, orient="bottom", columns=3, labelLimit=220),
        ),
        size=alt.Size(
            "visits:Q",
            scale=alt.Scale(domain=[0, max(visits, 1)], range=[_SMALLEST, _LARGEST]),
            legend=None,
        ),
        tooltip=_TOOLTIP,
    )
    return [
        base.transform_filter("!isValid(datum.worth)").encode(fill=alt.value(theme.PAPER)),
        base.transform_filter("isValid(datum.worth)").encode(fill=fill),
    ]


def _labels(values: Sequence[dict[str, Any]], depth: int) -> list[alt.Chart]:
    """The answers beneath finished leaves, where the tree is not too wide for them."""
    own = [value for value in values if value["label"]]
    if max(value["x"] for value in values) >= _MOST_LABELS or not own:
        return []
    base = alt.Chart(alt.InlineData(values=own)).mark_text(dy=15, fontSize=theme.SMALL)
    return [base.encode(x=alt.X("x:Q", scale=_x(values), axis=None), y=_y(depth), text="label:N")]


def _question(row: Row) -> str:
    return f"{row['dataset']}, {row['category']}, question {row['question_id']}"


def _said(nodes: Sequence[Row], worth: str) -> list[str]:
    counts = {name: sum(end_of(row) == name for row in nodes) for name in LOOKS}
    finished = counts[RIGHT] + counts[WRONG] + counts[UNJUDGED]
    unknown = sum(row[worth] is None for row in nodes if row["parent"] is not None)
    said = [
        f"{len(nodes) - 1} steps, {finished} finished solutions, of which {counts[RIGHT]} are right.",
        f"Colour: the {worth} of the step{'; white: none' if unknown else ''}. Size: visits.",
    ]
    if counts[UNFINISHED]:
        said.append(f"{counts[UNFINISHED]} solutions did not finish.")
    return said
