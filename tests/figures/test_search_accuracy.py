"""Searches by cost: what the panels show, and what the figure says is missing."""

from pathlib import Path
from typing import Any

from multirm.evaluation.searches import evaluate_searches
from multirm.figures.render import rendered
from multirm.figures.search_accuracy import CURRENCIES, chart, cost_of, draw_search_accuracy, styles
from multirm.tables import parquet
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS, SearchMeasure
from tests.evaluation.test_searches import POOL, nodes, search, two_questions, write

Row = dict[str, Any]


def tables(folder: Path, rows: list[Row], trees: list[Row]) -> tuple[Path, Path]:
    searches, of_nodes = write(folder, rows, trees)
    evaluate_searches([searches], folder, [of_nodes])
    return folder / "search_accuracy.parquet", folder / "search_gains.parquet"


def figure_of(folder: Path, rows: list[Row], trees: list[Row]) -> Row:
    accuracy, gains = tables(folder, rows, trees)
    figure = chart(
        "Facts",
        parquet.read(accuracy, SEARCH_ACCURACY).to_pylist(),
        parquet.read(gains, SEARCH_GAINS).to_pylist(),
        SearchMeasure.BEST,
    )
    assert rendered(figure, [".svg"])
    found: Row = figure.to_dict()
    return found


def panel(figure: Row, place: int) -> list[Row]:
    """What a panel of costs is drawn from."""
    shown = figure["vconcat"][0]["concat"][place]
    names = [shown.get("data", {}).get("name")]
    names += [layer["data"]["name"] for layer in shown["layer"] if "data" in layer]
    rows: list[Row] = next(figure["datasets"][name] for name in names if name)
    return rows


def test_each_cost_has_a_panel_and_unknown_ones_say_so(tmp_path: Path) -> None:
    figure = figure_of(tmp_path, *two_questions())
    drawn = [(each["method"], each["n"], each["cost"]) for each in panel(figure, 0)]
    assert drawn == [
        *[("BoN", "as run", 40), ("PBS", "as run", 20), ("BoN", "1", 10), ("BoN", "2", 20)],
    ]
    assert [each["method"] for each in panel(figure, 2)] == ["BoN", "PBS"]
    # The operations of the policy are unknown.
    assert list(CURRENCIES)[3].startswith("FLOPs") and panel(figure, 3) == [{"why": "not known"}]
    said = " ".join(figure["title"]["subtitle"])
    assert "2 questions." in said and "with fewer solutions" in said
    assert "Questions without an answer are wrong: 1 of BoN." in said


def test_gains_are_drawn_where_tokens_match(tmp_path: Path) -> None:
    figure = figure_of(tmp_path, *two_questions())
    gains = [row for rows in figure["datasets"].values() for row in rows if "choice" in row]
    assert {row["choice"] for row in gains} == {"best", "majority", "weighted", "covered"}
    figure = figure_of(tmp_path, *two_questions(90))
    assert not [row for rows in figure["datasets"].values() for row in rows if "choice" in row]
    said = " ".join(figure["title"]["subtitle"])
    assert "Best-of-N has too few or too many tokens for PBS." in said


def test_without_best_of_n_or_searches_there_is_a_figure(tmp_path: Path) -> None:
    rows = [search("<b>\n", "mcts", 1, 10)]
    figure = figure_of(tmp_path, rows, [])
    assert panel(figure, 0)[0]["method"] == "<b>\\n"
    empty = chart("Facts", [], [], SearchMeasure.BEST)
    assert b"no searches to draw" in rendered(empty, [".svg"])[".svg"]


def test_a_figure_of_tables(tmp_path: Path) -> None:
    rows = [search("BoN", "best_of_n", 1, 40), search("PBS", "beam_search", 1, 20)]
    paths = tables(tmp_path, rows, nodes(POOL))
    draw_search_accuracy(*paths, [tmp_path / "figure.svg"], SearchMeasure.MAJORITY)
    assert "Accuracy of searches by cost on Facts" in (tmp_path / "figure.svg").read_text()


def test_searches_of_one_method_have_one_colour_and_differ() -> None:
    looks = styles({"a": "beam_search", "b": "beam_search", "c": "mcts"})
    assert looks["a"].colour == looks["b"].colour != looks["c"].colour
    assert looks["a"] != looks["b"]


def test_a_cost_is_the_sum_of_known_ones() -> None:
    assert cost_of({"a": 1, "b": 2}, ["a", "b"]) == 3
    assert cost_of({"a": 1, "b": None}, ["a", "b"]) is None
    assert cost_of({"a": 0}, ["a"]) is None
