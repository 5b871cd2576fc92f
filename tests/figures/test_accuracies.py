"""The order in which accuracies are shown, and what is said of them."""

from multirm.figures.accuracies import (
    Accuracies,
    Point,
    category_names,
    method_names,
    sentences,
)
from multirm.tables.accuracy import Estimator, IntervalNote


def test_a_lone_category_is_not_drawn_twice() -> None:
    points = [Point(name, "dORM", 1, 50.0) for name in ("Overall", "test")]
    assert category_names(points) == ["test"]


def test_votes_come_last_and_the_ceiling_if_it_is_wanted() -> None:
    points = [Point("law", name, 1, 50.0) for name in ("Pass@N", "b", "Majority vote", "a")]
    assert method_names(points) == ["b", "a", "Majority vote", "Pass@N"]
    assert method_names(points, ceiling=False) == ["b", "a", "Majority vote"]


def said(*points: Point, **others: object) -> str:
    return " ".join(sentences(Accuracies("d", points, **others), points))  # type: ignore[arg-type]


def test_how_many_questions() -> None:
    def point(category: str, n_questions: int | None) -> Point:
        return Point(category, "dORM", 1, 50.0, n_questions=n_questions)

    law, physics = point("law", 3), point("physics", 5)
    assert said(point("Overall", 8), law, physics).startswith(
        "8 questions in 2 categories, 3 to 5 in each. Expected over all subsets of N solutions."
    )
    assert "6 questions in 2 categories, 3 in each." in said(law, point("history", 3))
    assert said(law).startswith("3 questions. ")
    assert said(point("law", None)).startswith("The file does not say over how many questions.")


def test_what_intervals_are_and_rest_on() -> None:
    points = [
        Point("law", "dORM", 1, 50.0, 40.0, 60.0),
        Point("law", "dORM", 2, 100.0, 80.0, 100.0, IntervalNote.NO_SPREAD),
        Point("law", "Pass@N", 2, 100.0, 20.0, 100.0, IntervalNote.ONE_QUESTION),
    ]
    assert said(*points[:1]).endswith("Bars: 95 % intervals over questions.")
    assert "Bands: 95 % intervals over questions. Where all questions came out alike" in (
        said(*points)
    )
    assert "One question shows no spread" in said(*points)
    assert "over questions and, for means over training runs, seeds." in (
        said(*points, has_means=True)
    )
    published = Point("law", "MV", 1, 50.0, note=IntervalNote.PUBLISHED)
    words = said(published, estimator=Estimator.PAPER)
    assert words.endswith(f"The{IntervalNote.PUBLISHED.meaning[3:]}.")
    assert "Bands" not in words and "all subsets" not in words


def test_what_is_missing() -> None:
    points = [Point(name, "Majority vote", 1, 50.0) for name in ("law", "physics", "history")]
    assert "no accuracy" not in said(*points)
    words = said(*points, Point("law", "dORM", 1, 50.0))
    assert words.endswith("dORM has no accuracy in physics, history.")
