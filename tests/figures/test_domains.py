"""Multi-domain against single-domain training: what the figure shows."""

from typing import Any

import pytest

from multirm.charts.palette import styles
from multirm.figures.domains import chart
from multirm.figures.measures import Measures
from multirm.figures.render import rendered
from multirm.tables.accuracy import OVERALL, IntervalNote, Selection
from multirm.tables.domains import Domain
from tests.figures.described import described

STYLES = styles(described({"dORM-all": "dORM", "dORM-law": "dORM", "gPRM-all": "gPRM"}))


def row(
    category: str,
    domain: Domain,
    difference: float,
    other: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    return {
        "category": category,
        "selection": "best_of_n",
        "method": "dORM-all",
        "n": 8,
        "domain": str(domain),
        "other_model": other,
        "trained_on": other and other.split("-")[1],
        "accuracy": 70.0,
        "other_accuracy": 70.0 - difference,
        "difference": difference,
        "difference_low": difference - 2,
        "difference_high": difference + 2,
        "p_holm": 0.02,
        "family": "primary" if category == OVERALL else "exploratory",
        "n_categories": 2 if category == OVERALL else 1,
        "n_questions": 24 if category == OVERALL else 12,
        "n_unknown_models": 0,
        "note": None,
    } | changes


ROWS = [
    row(OVERALL, Domain.IN_DOMAIN, -1.25),
    row(OVERALL, Domain.OUT_OF_DOMAIN, 9.0),
    row("law", Domain.IN_DOMAIN, 1.0, "dORM-law"),
    row("law", Domain.OUT_OF_DOMAIN, 5.0, "dORM-math"),
    row("law", Domain.OUT_OF_DOMAIN, 7.0, "dORM-computer_science"),
    row("law", Domain.OUT_OF_DOMAIN, 6.0),
    row("computer_science", Domain.OUT_OF_DOMAIN, 12.0, "dORM-law"),
]


def drawn(rows: list[dict[str, Any]], selection: Selection = Selection.BEST_OF_N) -> dict[str, Any]:
    figure = chart(Measures("Law_test", rows, STYLES), selection)
    assert rendered(figure, [".svg"])
    specification: dict[str, Any] = figure.to_dict()
    return specification


def panels_of(figure: dict[str, Any]) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = figure["vconcat"][0]["concat"]
    return panels


def values(figure: dict[str, Any], place: int = 0) -> list[dict[str, Any]]:
    name = panels_of(figure)[place]["layer"][1]["data"]["name"]
    found: list[dict[str, Any]] = figure["datasets"][name]
    return found


def test_means_have_intervals_and_what_they_are_over_are_ticks() -> None:
    found = {
        (each["tested"], each["domain"], each["difference"]): (each["text"], each["is_part"])
        for each in values(drawn(ROWS))
    }
    assert found == {
        ("Overall", Domain.IN_DOMAIN, -1.25): ("−1.2*", False),
        ("Overall", Domain.OUT_OF_DOMAIN, 9.0): ("+9.0*", False),
        ("Law", Domain.IN_DOMAIN, 1.0): ("+1.0", False),
        ("Law", Domain.OUT_OF_DOMAIN, 5.0): (None, True),
        ("Law", Domain.OUT_OF_DOMAIN, 7.0): (None, True),
        ("Law", Domain.OUT_OF_DOMAIN, 6.0): ("+6.0", False),
        ("Computer science", Domain.OUT_OF_DOMAIN, 12.0): ("+12.0", False),
    }
    trained = [each["trained"] for each in values(drawn(ROWS))]
    assert trained[1:4] == [
        "mean of those trained on other categories",
        "dORM-law, trained on law",
        "dORM-math, trained on math",
    ]


def test_the_figure_says_what_it_shows() -> None:
    figure = drawn([*ROWS, row(OVERALL, Domain.IN_DOMAIN, 3.0, selection="weighted_vote")])
    heading = " ".join(figure["title"]["text"])
    assert heading == (
        "Training on several domains minus training on one: best-of-N accuracy on Law_test"
    )
    said = " ".join(figure["title"]["subtitle"])
    assert "24 questions, N = 8. 2 categories. Overall: each counts the same." in said
    assert "95 % intervals, paired over questions." in said
    assert "among the 3 overall differences of both selections" in said
    (panel,) = panels_of(figure)
    assert panel["title"]["text"] == ["dORM-all (70.0 %)"]


def test_a_panel_for_each_model_in_the_order_of_the_study() -> None:
    other = [
        row(
            OVERALL,
            Domain.IN_DOMAIN,
            2.0,
            method="gPRM-all",
            difference_low=None,
            difference_high=None,
        )
    ]
    figure = drawn([*other, *ROWS])
    assert [panel["title"]["text"][0][:8] for panel in panels_of(figure)] == [
        "dORM-all",
        "gPRM-all",
    ]
    (value,) = values(figure, 1)
    assert (value["interval"], value["end"]) == ("none", 2.0)
    colours = [panel["layer"][3]["encoding"]["color"]["value"] for panel in panels_of(figure)]
    assert colours == [STYLES["dORM-all"].colour, STYLES["gPRM-all"].colour]


def test_other_selections_and_smaller_n_are_not_drawn() -> None:
    rows = [row(OVERALL, Domain.IN_DOMAIN, 5.0, n=4), *ROWS]
    assert len(values(drawn(rows))) == len(ROWS)
    figure = drawn(ROWS, Selection.WEIGHTED_VOTE)
    assert "no reward model" in str(figure["datasets"])


@pytest.mark.parametrize("note", [IntervalNote.ONE_QUESTION, IntervalNote.NO_SPREAD])
def test_one_point_and_its_note(note: IntervalNote) -> None:
    single = row(
        "law",
        Domain.IN_DOMAIN,
        0.0,
        "dORM-law",
        difference_low=None,
        difference_high=None,
        p_holm=None,
        note=note,
    )
    overall = row(
        OVERALL,
        Domain.IN_DOMAIN,
        0.0,
        difference_low=None,
        difference_high=None,
        p_holm=None,
        note=note,
    )
    figure = drawn([overall, single])
    said = " ".join(figure["title"]["subtitle"])
    assert note.meaning[1:] in said
    # A lone category is the whole by itself.
    assert {each["tested"] for each in values(figure)} == {"Law"}


def test_nothing_to_compare_is_said() -> None:
    figure = drawn([])
    assert "no reward model trained on one category beside one" in str(figure["datasets"])
    assert figure["title"]["subtitle"] == ["Nothing can be compared."]


def test_models_trained_without_the_category_have_marks_of_their_own() -> None:
    held_out = row("law", Domain.HELD_OUT, 2.0, "dORM-no_law", trained_on=None)
    mean = row(OVERALL, Domain.HELD_OUT, 2.5, trained_on=None)
    figure = drawn([*ROWS, held_out, mean])
    trained = [each["trained"] for each in values(figure) if each["domain"] == Domain.HELD_OUT]
    assert trained == [
        "dORM-no_law, trained on all but this category",
        "mean of those trained on all but this category",
    ]
    assert "Cross: its difference from" in " ".join(figure["title"]["subtitle"])
    assert "Cross" not in " ".join(drawn(ROWS)["title"]["subtitle"])
    alone = " ".join(drawn([held_out, mean])["title"]["subtitle"])
    assert "Cross" in alone and "Filled" not in alone
