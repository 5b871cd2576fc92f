"""Rows of the tables of analysed solutions, for figures."""

from collections.abc import Sequence
from typing import Any

from multirm.charts.palette import styles
from multirm.figures.measures import Measures
from tests.figures.described import described

KINDS = {"dORM-8B": "dORM", "gPRM-mini": "gPRM"}
STYLES = styles(described(KINDS))


def shown(rows: Sequence[dict[str, Any]]) -> Measures:
    """Rows of two reward models."""
    return Measures("Law_test", [{"method": row["model"], **row} for row in rows], STYLES)


def groups(*categories: str, recoveries: int = 7) -> list[dict[str, Any]]:
    """The solution_groups table of some categories with 10 questions and 40 solutions each."""
    return [
        {"dataset": "Law_test", "category": category, "group": group, "n_questions": n // 4}
        | {
            "n_solutions": n,
            "share": share,
            "share_low": share and 0.1,
            "share_high": share and 0.4,
        }
        | {"mean_steps": mean, "mean_steps_low": mean - 0.5, "mean_steps_high": mean + 0.5}
        for place, category in enumerate(["Overall", *categories])
        for group, n, share, mean in (
            ("all", 40 if place else 40 * len(categories), None, 4.0 + place),
            ("right_steps", 13, 0.65, 4.0),
            ("recovery", recoveries, 0.35 if recoveries else 0.0, 6.0),
            ("wrong_answer", 20, None, 5.0),
        )
    ]
