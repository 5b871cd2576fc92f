"""Multi-domain against single-domain models, from tables to table, against plain loops over the rows."""

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.errors import InputError
from multirm.evaluation import intervals
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.domains import DomainOptions, compare_domains
from multirm.evaluation.significance import holm
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.comparisons import COMPARISONS, Family
from multirm.tables.domains import DOMAINS, Domain
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import REWARD_MODELS, Kind
from tests.origins import made_of

CATEGORIES = ("law", "math", "physics")
TRAINED_ON = {"all": ["law", "math"], "on law": ["law"], "on math": ["math"]}
QUESTIONS, N = 9, 3


def described(folder: Path, seeds: list[int], **trained_on: list[str] | None) -> Path:
    """The table of the models, each trained once per seed."""
    runs = [
        RewardModel(
            model=name if seed == seeds[0] else f"{name}@{seed}",
            run_of=name,
            kind=Kind.DORM,
            backbone="small",
            seed=seed,
            training_categories=categories,
        )
        for name, categories in (TRAINED_ON | trained_on).items()
        for seed in seeds
    ]
    path = folder / "models.parquet"
    rows = [each.columns("small") for each in with_means(runs)]
    parquet.write(path, REWARD_MODELS, rows, made_of())
    return path


Made = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]


def made(write_tables: Any, folder: Path, seeds: list[int], **trained_on: list[str] | None) -> Made:
    """The solutions, the rows of the table, and those of the comparisons of the same rewards."""
    table = described(folder, seeds, **trained_on)
    names = [
        row["model"] for row in parquet.read(table, REWARD_MODELS).to_pylist() if not row["is_mean"]
    ]
    generator = random.Random(3)
    study = {
        category: {
            f"q{k}": (
                "A",
                [
                    (generator.choice("AAB"), {name: [generator.random()] for name in names})
                    for _ in range(5)
                ],
            )
            for k in range(QUESTIONS + place)
        }
        for place, category in enumerate(CATEGORIES)
    }
    written = write_tables(study, names, "probability")
    options = written.options([f"{name}=last" for name in names], n=[1, 2, N], reward_models=table)
    compare_domains(DomainOptions(**vars(options)), folder)
    evaluate(options, folder)
    return (
        study,
        parquet.read(folder / "domains.parquet", DOMAINS).to_pylist(),
        parquet.read(folder / "comparisons.parquet", COMPARISONS).to_pylist(),
    )


@pytest.fixture
def once(write_tables: Any, tmp_path: Path) -> Made:
    return made(write_tables, tmp_path, [1])


@pytest.fixture
def twice(write_tables: Any, tmp_path: Path) -> Made:
    return made(write_tables, tmp_path, [1, 2])


def is_right(pool: Any, model: str) -> float:
    """How often the best of N is right, over all subsets of a pool."""
    answer, solutions = pool
    best = [
        max(subset, key=lambda each: each[1][model][0]) for subset in combinations(solutions, N)
    ]
    return sum(parsed == answer for parsed, _ in best) / len(best)


def differences(study: Any, category: str, trained_on: list[str]) -> list[float]:
    """Of each question, from the mean of the models trained on some categories."""
    return [
        is_right(pool, "all")
        - sum(is_right(pool, f"on {name}") for name in trained_on) / len(trained_on)
        for pool in study[category].values()
    ]


def best_of_n(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str | None], dict[str, Any]]:
    return {
        (row["category"], row["domain"], row["other_model"]): row
        for row in rows
        if (row["selection"], row["n"]) == ("best_of_n", N)
    }


def test_each_model_is_compared_on_each_category(once: Made) -> None:
    study, rows, _ = once
    found = best_of_n(rows)
    compared: dict[tuple[str, str, str | None], list[str]] = {
        ("law", Domain.IN_DOMAIN, "on law"): ["law"],
        ("law", Domain.OUT_OF_DOMAIN, "on math"): ["math"],
        ("math", Domain.IN_DOMAIN, "on math"): ["math"],
        ("math", Domain.OUT_OF_DOMAIN, "on law"): ["law"],
        ("physics", Domain.OUT_OF_DOMAIN, "on law"): ["law"],
        ("physics", Domain.OUT_OF_DOMAIN, "on math"): ["math"],
        ("physics", Domain.OUT_OF_DOMAIN, None): ["law", "math"],
    }
    overall = {(OVERALL, Domain.IN_DOMAIN, None), (OVERALL, Domain.OUT_OF_DOMAIN, None)}
    assert set(found) == {*compared, *overall}
    for key, trained_on in compared.items():
        own = differences(study, key[0], trained_on)
        row = found[key]
        assert row["difference"] == pytest.approx(100 * np.mean(own))
        assert row["accuracy"] - row["other_accuracy"] == pytest.approx(row["difference"])
        assert (row["n_questions"], row["n_categories"]) == (len(own), 1)
        assert row["trained_on"] == (trained_on[0] if key[2] else None)
        right = [is_right(pool, "all") for pool in study[key[0]].values()]
        assert row["accuracy"] == pytest.approx(100 * np.mean(right))


def test_overall_is_the_mean_over_categories_that_have_such_models(once: Made) -> None:
    study, rows, _ = once
    found = best_of_n(rows)
    others = {
        Domain.IN_DOMAIN: {"law": ["law"], "math": ["math"]},
        Domain.OUT_OF_DOMAIN: {"law": ["math"], "math": ["law"], "physics": ["law", "math"]},
    }
    for domain, trained_on in others.items():
        parts = {name: differences(study, name, other) for name, other in trained_on.items()}
        row = found[OVERALL, domain, None]
        assert row["difference"] == pytest.approx(100 * np.mean([*map(np.mean, parts.values())]))
        assert row["n_categories"] == len(parts)
        assert row["n_questions"] == sum(map(len, parts.values()))
        arrays = {name: np.array(part)[:, None] for name, part in parts.items()}
        mean, size = intervals.mean_of(arrays), intervals.typical_size(arrays)
        (low,), (high,) = intervals.of_differences(mean, size)
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(
            (100 * low, 100 * high)
        )
        assert row["trained_on"] is row["other_model"] is None


@pytest.mark.parametrize("seeds", ["once", "twice"])
def test_pairs_are_as_in_the_comparisons(seeds: str, request: pytest.FixtureRequest) -> None:
    _, rows, comparisons = request.getfixturevalue(seeds)
    known = {
        (row["category"], row["selection"], row["n"], row["model"], row["other_model"]): row
        for row in comparisons
    }
    pairs = [row for row in rows if row["other_model"] is not None]
    assert len(pairs) == 2 * 2 * 6
    for row in pairs:
        assert row["model"] == ("all" if seeds == "once" else "all@mean")
        where = ("category", "selection", "n", "model", "other_model")
        other = known[tuple(row[name] for name in where)]
        for name in ("difference", "difference_low", "difference_high", "p"):
            assert row[name] == pytest.approx(other[name])
        assert row["note"] == other["note"]


def test_seeds_widen_the_intervals_of_means(twice: Made) -> None:
    """By the variance of each model's mean over categories between its runs, pooled over the three models."""
    study, rows, _ = twice
    right = {
        (name, category): np.array(
            [
                [is_right(pool, run) for run in (name, f"{name}@2")]
                for pool in study[category].values()
            ]
        )
        for name in TRAINED_ON
        for category in CATEGORIES
    }

    def variance(**shares: float) -> float:
        """Of a mean over two runs, of the accuracy over categories with these shares."""
        spread = 0.0
        for name in TRAINED_ON:
            means = sum(share * right[name, of].mean(axis=0) for of, share in shares.items())
            spread += (means[0] - means[1]) ** 2 / 2 / len(TRAINED_ON)
        return spread / 2

    third = dict.fromkeys(CATEGORIES, 1 / 3)
    error = variance(**third)
    error += variance(math=2 / 3, physics=1 / 3) / 4
    error += variance(law=2 / 3, physics=1 / 3) / 4
    value = {pair: part.mean(axis=1)[:, None] for pair, part in right.items()}
    on_physics = (value["on law", "physics"] + value["on math", "physics"]) / 2
    own = {
        "law": value["all", "law"] - value["on math", "law"],
        "math": value["all", "math"] - value["on law", "math"],
        "physics": value["all", "physics"] - on_physics,
    }
    mean = intervals.mean_of(own)
    interval = intervals.of_differences(mean, intervals.typical_size(own))
    (low,), (high,) = intervals.widened(
        mean.value, interval, np.array([np.sqrt(error)]), 3, (-1, 1)
    )
    row = best_of_n(rows)[OVERALL, Domain.OUT_OF_DOMAIN, None]
    assert row["difference"] == pytest.approx(100 * mean.value[0])
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((100 * low, 100 * high))
    assert high - low > interval[1][0] - interval[0][0]


def test_p_values_are_corrected_within_families(once: Made) -> None:
    _, rows, _ = once
    families: dict[object, list[dict[str, Any]]] = {}
    for row in rows:
        primary = (row["category"], row["n"]) == (OVERALL, N)
        assert row["family"] == (Family.PRIMARY if primary else Family.EXPLORATORY)
        where = (row["category"], row["n"], None if primary else row["selection"])
        families.setdefault(where, []).append(row)
    assert len(families[OVERALL, N, None]) == 4
    for own in families.values():
        expected = holm(np.array([row["p"] for row in own]))
        np.testing.assert_array_equal([row["p_holm"] for row in own], expected)


def test_nothing_is_compared_without_single_domain_models(
    write_tables: Any, tmp_path: Path
) -> None:
    several = {"on law": ["law", "math"], "on math": ["law", "math"]}
    assert made(write_tables, tmp_path, [1], **several)[1] == []


def test_models_of_unknown_training_are_told_and_counted(
    write_tables: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = made(write_tables, tmp_path, [1, 2], elsewhere=None)[1]
    assert {row["n_unknown_models"] for row in rows} == {1}
    assert {row["other_model"] for row in rows} == {None, "on law@mean", "on math@mean"}
    assert "not compared, because it is unknown how they were trained: 'elsewhere@mean'" in (
        caplog.text
    )
    assert "(training_categories)" in caplog.text


def test_known_training_is_not_warned_of(once: Made, caplog: pytest.LogCaptureFixture) -> None:
    assert {row["n_unknown_models"] for row in once[1]} == {0}
    assert "not compared" not in caplog.text


def test_nothing_to_compare_because_training_is_unknown_is_refused(
    write_tables: Any, tmp_path: Path
) -> None:
    unknown: dict[str, list[str] | None] = {"on law": None, "on math": None}
    with pytest.raises(
        InputError, match=r"models.parquet: .* and nulls for 'on law' \(training_"
    ) as caught:
        made(write_tables, tmp_path, [1], **unknown)
    assert "describe-reward-models" in str(caught.value)
    assert not (tmp_path / "domains.parquet").exists()


def test_a_held_out_category_is_compared_as_in_comparisons(
    write_tables: Any, tmp_path: Path
) -> None:
    """With two training runs each. The model of all others is without physics."""
    held_out = {"no_law": ["math", "physics"], "no_math": ["law", "physics"]}
    _, rows, compared = made(
        write_tables, tmp_path, [1, 2], **{"every": list(CATEGORIES), **held_out}
    )
    own = [
        row for row in rows if row["domain"] == Domain.HELD_OUT and row["selection"] == "best_of_n"
    ]
    found = {(row["category"], row["other_model"]): row for row in own if row["n"] == N}
    assert set(found) == {
        (OVERALL, None),
        ("law", "no_law@mean"),
        ("math", "no_math@mean"),
        ("physics", "all@mean"),
    }
    assert {row["model"] for row in own} == {"every@mean"}
    expected = {}
    for row in compared:
        pair = {row["model"], row["other_model"]}
        if "every@mean" in pair and (row["selection"], row["n"]) == ("best_of_n", N):
            # The model that is described first is compared with later ones.
            sign = 1 if row["model"] == "every@mean" else -1
            ends = sorted([sign * row["difference_low"], sign * row["difference_high"]])
            (other,) = pair - {"every@mean"}
            expected[row["category"], other] = [sign * row["difference"], *ends]
    for key, row in found.items():
        if row["other_model"] is None:
            parts = [each["difference"] for each in found.values() if each["other_model"]]
            assert row["difference"] == pytest.approx(np.mean(parts))
            assert (row["family"], row["n_categories"]) == (Family.PRIMARY, 3)
        else:
            measured = [row[name] for name in ("difference", "difference_low", "difference_high")]
            assert measured == pytest.approx(expected[key])
