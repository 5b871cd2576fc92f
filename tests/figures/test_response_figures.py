"""Figures about responses: what they show, of which models, and what they say where there is nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.figures import (
    accuracy_by_shown,
    response_accuracy,
    reward_by_length,
    reward_densities,
)
from multirm.figures.measures import read_measures
from multirm.figures.render import rendered
from multirm.figures.response_measures import accuracies
from multirm.tables import parquet
from multirm.tables.response_accuracy import (
    RESPONSE_ACCURACY,
    RESPONSE_REWARDS,
    REWARD_LENGTH_CORRELATIONS,
)
from tests.figures.measured import panels, shown, subtitle
from tests.origins import made_of

SCORERS = ({"model": "mine", "aggregation": "last"}, {"model": "longer", "aggregation": "last"})


def accuracy_rows(n_shown: int | None = None) -> list[dict[str, Any]]:
    names = (("overall", "Overall"), ("section", "chat"), ("subset", "easy"))
    names += (("section", "hard"), ("section", "none"))
    return [
        {
            **scorer,
            "dataset": "d",
            "benchmark": "rewardbench",
            "level": level,
            "name": name,
            "measure": "accuracy",
            "ties": ties,
            "is_published": ties == "lost",
            "n_shown": n_shown,
            "n_prompts": 10,
            "n_missing": 2 if scorer["model"] == "mine" else 0,
            "n_comparisons": 10,
            "n_tied": 0,
            "value": None if name == "none" else 60.0 + (n_shown or 10),
            "value_low": 50.0,
            "value_high": 80.0,
        }
        for scorer in SCORERS
        for level, name in names
        for ties in ("lost", "shared")
    ]


def reward_rows() -> list[dict[str, Any]]:
    return [
        {
            **scorer,
            "dataset": "d",
            "category": "easy",
            "question_id": str(k),
            "solution_id": side,
            "section": "chat",
            "is_chosen": side == 0,
            "n_shown": None,
            "reward": None if k == 0 else float(k - side),
            "n_characters": 10 * k,
            "n_tokens_read": None,
        }
        for scorer in SCORERS
        for k in range(12)
        for side in (0, 1)
    ]


def correlation_rows(pearson: float | None) -> list[dict[str, Any]]:
    return [
        {
            **scorer,
            "dataset": "d",
            "section": "Overall",
            "length": "characters",
            "compared": "responses",
            "n": 22,
            **{f"pearson{end}": pearson for end in ("", "_low", "_high")},
            **{f"spearman{end}": pearson for end in ("", "_low", "_high")},
        }
        for scorer in SCORERS
    ]


def table(tmp_path: Path, schema: Any, rows: list[dict[str, Any]]) -> Path:
    path = tmp_path / f"{schema.name}.parquet"
    parquet.write(path, schema, rows, made_of())
    return path


def test_bars_of_published_accuracies(tmp_path: Path) -> None:
    path = table(tmp_path, RESPONSE_ACCURACY, accuracy_rows() + accuracy_rows(5))
    outputs = [tmp_path / "figure.svg"]
    response_accuracy.draw_response_accuracy(path, outputs)
    assert b"Longer response" in outputs[0].read_bytes()
    measures = read_measures(path, RESPONSE_ACCURACY)
    figure = response_accuracy.chart(measures, accuracies(measures)).to_dict()
    assert [panel["title"]["text"] for panel in panels(figure)] == [["Overall"], ["Chat"], ["Hard"]]
    assert [row["method"] for row in shown(figure)] == ["mine", "Longer response"] * 3
    assert {row["value"] for row in shown(figure)} == {70}
    assert "mine: up to 2 prompts of a part left out without a reward." in subtitle(figure)


def test_lines_over_characters_end_in_whole_responses(tmp_path: Path) -> None:
    rows = accuracy_rows() + accuracy_rows(4) + accuracy_rows(8)
    path = table(tmp_path, RESPONSE_ACCURACY, rows)
    accuracy_by_shown.draw_accuracy_by_shown(path, [tmp_path / "figure.svg"])
    measures = read_measures(path, RESPONSE_ACCURACY)
    figure = accuracy_by_shown.chart(measures, accuracies(measures)).to_dict()
    mine = sorted({(r["x"], r["value"]) for r in shown(figure) if r["method"] == "mine"})
    assert mine == [(4, 64), (8, 68), (16, 70)]
    path = table(tmp_path, RESPONSE_ACCURACY, accuracy_rows())
    whole = read_measures(path, RESPONSE_ACCURACY)
    drawn = rendered(accuracy_by_shown.chart(whole, accuracies(whole)), [".svg"])[".svg"]
    assert b"no truncated responses to draw" in drawn


def test_densities_and_lengths_are_of_reward_models(tmp_path: Path) -> None:
    rewards = table(tmp_path, RESPONSE_REWARDS, reward_rows())
    lengths = table(tmp_path, REWARD_LENGTH_CORRELATIONS, correlation_rows(0.5))
    reward_densities.draw_reward_densities(rewards, [tmp_path / "densities.svg"])
    reward_by_length.draw_reward_by_length(rewards, lengths, [tmp_path / "lengths.svg"])
    measures = read_measures(rewards, RESPONSE_REWARDS)
    figure = reward_densities.chart(measures).to_dict()
    assert [panel["title"]["text"] for panel in panels(figure)] == [["mine"]]
    assert "4 missing rewards are left out." in subtitle(figure)
    by_length = reward_by_length.chart(measures, read_measures(lengths, REWARD_LENGTH_CORRELATIONS))
    (panel,) = panels(by_length.to_dict())
    assert "r = 0.50 [0.50, 0.50]" in " ".join(panel["title"]["text"])
    lengths = table(tmp_path, REWARD_LENGTH_CORRELATIONS, correlation_rows(None))
    by_length = reward_by_length.chart(measures, read_measures(lengths, REWARD_LENGTH_CORRELATIONS))
    (panel,) = panels(by_length.to_dict())
    assert "r undefined" in " ".join(panel["title"]["text"])


def test_without_rewards_figures_say_so(tmp_path: Path) -> None:
    rows = [row for row in reward_rows() if row["model"] == "longer"]
    rewards = read_measures(table(tmp_path, RESPONSE_REWARDS, rows), RESPONSE_REWARDS)
    path = table(tmp_path, REWARD_LENGTH_CORRELATIONS, correlation_rows(0.5))
    correlations = read_measures(path, REWARD_LENGTH_CORRELATIONS)
    for figure in (
        reward_densities.chart(rewards),
        reward_by_length.chart(rewards, correlations),
    ):
        assert b"no rewards to draw" in rendered(figure, [".svg"])[".svg"]


def test_a_density_is_that_of_scipy_and_exists_for_equal_rewards() -> None:
    from scipy.stats import gaussian_kde

    values, places = np.random.default_rng(0).normal(size=50), np.linspace(-4, 4, 30)
    assert reward_densities.density(values, places) == pytest.approx(gaussian_kde(values)(places))
    assert np.isfinite(reward_densities.density(np.ones(3), places)).all()
    assert reward_densities.density(np.zeros(0), places).tolist() == [0] * 30
