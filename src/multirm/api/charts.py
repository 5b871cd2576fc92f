"""Charts of an evaluation by name, as the commands of the same figures draw them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from multirm.charts.scorers import Rows
from multirm.errors import escaped
from multirm.figures import (
    accuracy_by_cost,
    accuracy_grid,
    agreement,
    calibration,
    error_depths,
    f1_by_critiques,
    f1_by_length,
    gain_by_length,
    gains,
    length_densities,
    minimum_position,
    outcome_f1,
    process_bench,
    recoveries,
    step_verification,
    win_loss,
)
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.measures import Measures, dataset_of, read_measures
from multirm.figures.render import specification
from multirm.tables import parquet
from multirm.tables.accuracy import Selection
from multirm.tables.registry import SCHEMAS


@dataclass(frozen=True)
class Tables:
    """The tables that a chart is drawn from.

    Attributes:
        paths: by name.
        reward_models: tables of reward models; without any, names tell what is a run of what.
    """

    paths: Mapping[str, Path]
    reward_models: Sequence[Path]

    def measures(self, name: str) -> Measures:
        return read_measures(self.paths[name], SCHEMAS[name], self.reward_models)

    def dataset(self, name: str) -> str:
        return dataset_of(self.paths[name], self.rows(name), self.reward_models)

    def rows(self, name: str) -> Rows:
        rows: Rows = parquet.read(self.paths[name], SCHEMAS[name]).to_pylist()
        return rows


class OfflineChart(alt.VConcatChart):
    """A chart that a notebook shows without network access.

    Altair's own default is a script from the web. This is an image instead, unless another way is chosen by
    `altair.renderers.enable`.
    """

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> Any:
        if alt.renderers.active != "default":
            return super()._repr_mimebundle_(*args, **kwargs)
        return {"image/svg+xml": vl_convert.vegalite_to_svg(self.to_dict(), allowed_base_urls=[])}


@dataclass(frozen=True)
class Chart:
    """How a chart is drawn.

    Attributes:
        tables: the names of the tables that it needs.
        figure: draws it from them.
    """

    tables: tuple[str, ...]
    figure: Callable[[Tables], alt.VConcatChart]

    def drawn(self, tables: Tables) -> OfflineChart:
        """The chart with the project's theme in it, whatever theme is enabled where it is used."""
        drawn: OfflineChart = OfflineChart.from_dict(
            specification(self.figure(tables)), validate=False
        )
        return drawn


def _accuracies(selection: Selection) -> Chart:
    def figure(tables: Tables) -> alt.VConcatChart:
        found = read_accuracies(tables.paths["accuracy"], selection, tables.reward_models)
        return accuracy_grid.chart(found, selection, False)

    return Chart(("accuracy",), figure)


def _gains(selection: Selection) -> Chart:
    def figure(tables: Tables) -> alt.VConcatChart:
        compared, groups = tables.measures("comparisons"), tables.measures("category_groups")
        return gains.chart(compared, groups, selection)

    return Chart(("comparisons", "category_groups"), figure)


def _of_one(name: str, chart: Callable[[Measures], alt.VConcatChart]) -> Chart:
    return Chart((name,), lambda tables: chart(tables.measures(name)))


CHARTS: Mapping[str, Chart] = {
    "best_of_n": _accuracies(Selection.BEST_OF_N),
    "weighted_vote": _accuracies(Selection.WEIGHTED_VOTE),
    "accuracy_by_cost": Chart(
        ("costs",),
        lambda tables: accuracy_by_cost.chart(
            accuracy_by_cost.read_costs(tables.paths["costs"], tables.reward_models)
        ),
    ),
    "gains_best_of_n": _gains(Selection.BEST_OF_N),
    "gains_weighted_vote": _gains(Selection.WEIGHTED_VOTE),
    "win_loss": Chart(
        ("comparisons", "solution_groups"),
        lambda tables: win_loss.chart(
            tables.measures("comparisons"), tables.rows("solution_groups")
        ),
    ),
    "f1_by_length": Chart(
        ("lengths", "solution_groups"),
        lambda tables: f1_by_length.chart(
            tables.measures("lengths"), tables.rows("solution_groups")
        ),
    ),
    "gain_by_length": Chart(
        ("comparisons", "solution_groups", "length_correlations"),
        lambda tables: gain_by_length.chart(
            tables.measures("comparisons"),
            tables.rows("solution_groups"),
            tables.measures("length_correlations").rows,
        ),
    ),
    "recoveries": Chart(
        ("recoveries", "solution_groups"),
        lambda tables: recoveries.chart(
            escaped(tables.dataset("solution_groups")),
            tables.rows("solution_groups"),
            tables.measures("recoveries"),
        ),
    ),
    "agreement": Chart(
        ("agreement",),
        lambda tables: agreement.read_chart(tables.paths["agreement"], tables.reward_models),
    ),
    "length_densities": Chart(
        ("step_counts",),
        lambda tables: length_densities.chart(
            tables.dataset("step_counts"), tables.rows("step_counts")
        ),
    ),
    "error_depths": Chart(
        ("error_depths", "error_persistence"),
        lambda tables: error_depths.chart(
            tables.measures("error_depths"), tables.measures("error_persistence")
        ),
    ),
    "outcome_f1": _of_one("thresholds", outcome_f1.chart),
    "f1_by_critiques": Chart(
        ("f1_by_critiques", "thresholds"),
        lambda tables: f1_by_critiques.chart(
            tables.measures("f1_by_critiques"), tables.measures("thresholds")
        ),
    ),
    "step_verification": Chart(
        ("step_verification", "verification"),
        lambda tables: step_verification.chart(
            tables.measures("step_verification"), tables.measures("verification")
        ),
    ),
    "process_bench": _of_one("step_thresholds", process_bench.chart),
    "calibration": _of_one("reliability", calibration.chart),
    "minimum_position": _of_one("minimum_positions", minimum_position.chart),
}
"""Figures that are drawn from the tables of one dataset alone."""
