"""Evaluation of responses: published means, missing rewards, ties, real files, and rewards that do not match."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.data.reward_benchmarks.read import read_responses
from multirm.errors import InputError
from multirm.evaluation.benchmark_means import means
from multirm.evaluation.responses import evaluate_responses
from multirm.evaluation.reward_lengths import correlation
from multirm.tables import parquet
from multirm.tables.response_accuracy import (
    RESPONSE_ACCURACY,
    RESPONSE_REWARDS,
    REWARD_LENGTH_CORRELATIONS,
)
from multirm.tables.responses import RESPONSES, REWARDBENCH_SECTIONS, Benchmark
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

NAMES = ("responses", "solutions", "rewards", "evaluation")


def read(tmp_path: Path, benchmark: Benchmark, source: Path, **options: Any) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.parquet" for name in NAMES[:3]}
    paths["evaluation"] = tmp_path / "evaluation"
    tables = [paths["responses"], paths["solutions"]]
    read_responses(benchmark, [str(source)], "d", *tables, **options)
    return paths


def write_rewards(paths: dict[str, Path], values: list[float | None]) -> None:
    keys = parquet.read(paths["solutions"], SOLUTIONS).select(SOLUTIONS.key).to_pylist()
    rows = [
        {
            **key,
            "model": "m",
            "rewards": [value],
            "n_tokens_read": 10,
            "n_tokens_generated": 0,
            "flops": None,
            "truncated": False,
            "unit": "solution",
            "scale": "score",
        }
        for key, value in zip(keys, values, strict=True)
    ]
    parquet.write(paths["rewards"], REWARDS, rows, made_of())


def evaluated(paths: dict[str, Path], *given: str) -> dict[tuple[str, ...], Any]:
    """The rows of accuracies by model, level, name, measure and ties."""
    rewards = [f"{model}={paths['rewards']}" for model in given]
    evaluate_responses(
        [paths["responses"]],
        [paths["solutions"]],
        paths["evaluation"],
        rewards,
        [f"{model}=last" for model in given],
    )
    rows = parquet.read(paths["evaluation"] / "response_accuracy.parquet", RESPONSE_ACCURACY)
    key = ("model", "level", "name", "measure", "ties")
    return {tuple(row[name] for name in key): row for row in rows.to_pylist()}


def test_longer_answers_are_rarely_the_better_ones_of_llmbar(
    shared_data: Path, tmp_path: Path
) -> None:
    paths = read(tmp_path, Benchmark.LLMBAR, shared_data / "llmbar")
    found = evaluated(paths)
    n_right = {"natural": 56, "gptinst": 12, "gptout": 21, "manual": 8, "neighbor": 16}
    of_subsets = []
    for subset, n in n_right.items():
        row = found["longer", "subset", subset, "accuracy", "lost"]
        assert row["value"] == pytest.approx(100 * n / row["n_prompts"])
        assert row["value_low"] < row["value"] < row["value_high"]
        of_subsets.append(row["value"])
    overall = found["longer", "overall", "Overall", "accuracy", "lost"]
    assert overall["value"] == pytest.approx(np.mean(of_subsets))
    assert (overall["is_published"], overall["n_prompts"], overall["n_tied"]) == (True, 419, 2)
    every = found["longer", "all", "All", "accuracy", "lost"]
    assert every["value"] == pytest.approx(100 * sum(n_right.values()) / 419)


def test_judgebench_is_as_its_games_say(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "judgebench" / "skywork_reward_llama_3.1_8b.jsonl"
    rewards = tmp_path / "rewards.parquet"
    paths = read(tmp_path, Benchmark.JUDGEBENCH, source, output_rewards=rewards)
    found = evaluated(paths, "sky")
    lost = found["sky", "overall", "Overall", "accuracy", "lost"]
    assert (lost["n_prompts"], lost["n_missing"], lost["n_tied"]) == (350, 0, 1)
    assert lost["value"] == pytest.approx(100 * 218 / 350)
    shared = found["sky", "overall", "Overall", "accuracy", "shared"]
    assert shared["value"] == pytest.approx(100 * 218.5 / 350)
    assert (lost["is_published"], shared["is_published"]) == (True, False)
    # Against the file itself, which names the better answer.
    differences, lengths = [], []
    for line in source.read_text().splitlines():
        row = json.loads(line)
        sign = 1 if row["label"] == "A>B" else -1
        first, second = row["judgments"][0]["judgment"]["scores"]
        differences.append(sign * (first - second))
        lengths.append(sign * (len(row["response_A"]) - len(row["response_B"])))
    path = paths["evaluation"] / "reward_length_correlations.parquet"
    (own,) = [
        row
        for row in parquet.read(path, REWARD_LENGTH_CORRELATIONS).to_pylist()
        if (row["model"], row["section"], row["compared"]) == ("sky", "Overall", "differences")
    ]
    assert own["pearson"] == pytest.approx(np.corrcoef(differences, lengths)[0, 1], abs=0.003)
    assert own["n"] == 350
    assert own["pearson_low"] < own["pearson"] < own["pearson_high"] < 0


def test_steps_of_prm800k_are_clustered_by_problem(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "prm800k" / "raw" / "phase1-train-example.json"
    paths = read(tmp_path, Benchmark.PRM800K, source)
    n = parquet.read(paths["solutions"], SOLUTIONS).num_rows
    write_rewards(paths, [float(k) for k in range(n)])
    row = evaluated(paths, "m")["m", "overall", "Overall", "accuracy", "lost"]
    sides = parquet.read(paths["responses"], RESPONSES).to_pylist()
    right = total = 0
    for i, better in enumerate(sides):
        for j, worse in enumerate(sides):
            same = better["question_id"] == worse["question_id"]
            if same and better["is_chosen"] and not worse["is_chosen"]:
                right, total = right + (i > j), total + 1
    assert (row["n_comparisons"], row["value"]) == (total, pytest.approx(100 * right / total))
    # Many pairs of few problems say little.
    assert row["value_high"] - row["value_low"] > 40


def rewardbench(path: Path, without: str = "") -> list[str]:
    rows = [
        {"id": f"{subset}-{k}", "prompt": f"{subset} {k}", "subset": subset}
        | {"chosen": "yes", "rejected": "no"}
        for subsets in REWARDBENCH_SECTIONS.values()
        for subset in subsets
        for k in range(3)
        if subset != without
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [row["subset"] for row in rows]


def test_rewardbench_is_the_mean_of_sections_by_published_counts(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    subsets = rewardbench(source)
    paths = read(tmp_path, Benchmark.REWARDBENCH, source)
    random = np.random.default_rng(3)
    values = random.integers(0, 3, 2 * len(subsets)).astype(float)
    write_rewards(paths, values.tolist())
    found = evaluated(paths, "m")
    accuracies = []
    for section, counts in REWARDBENCH_SECTIONS.items():
        total = 0.0
        for subset, count in counts.items():
            own = [k for k, name in enumerate(subsets) if name == subset]
            total += count * np.mean([values[2 * k] > values[2 * k + 1] for k in own])
        accuracies.append(100 * total / sum(counts.values()))
        row = found["m", "section", section, "accuracy", "lost"]
        assert row["value"] == pytest.approx(accuracies[-1])
    overall = found["m", "overall", "Overall", "accuracy", "lost"]
    assert overall["value"] == pytest.approx(np.mean(accuracies))


def test_a_part_that_is_not_there_leaves_no_published_mean(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    rewardbench(source, without="hep-go")
    found = evaluated(read(tmp_path, Benchmark.REWARDBENCH, source))
    assert found["longer", "overall", "Overall", "accuracy", "lost"]["value"] is None
    assert found["longer", "section", "reasoning", "accuracy", "lost"]["value"] is None
    assert found["longer", "section", "chat", "accuracy", "lost"]["value"] == 100
    assert found["longer", "all", "All", "accuracy", "lost"]["value"] == pytest.approx(100)


def test_prior_sets_weigh_half() -> None:
    sections = {s: name for name, subsets in REWARDBENCH_SECTIONS.items() for s in subsets}
    sections |= {"shp": "prior_sets", "summarize": "prior_sets"}
    weights = means(Benchmark.REWARDBENCH, sections, dict.fromkeys(sections, 7.0))
    overall = weights["overall", "Overall"]  # type: ignore[index]
    assert overall is not None
    assert sum(overall[s] for s in REWARDBENCH_SECTIONS["chat"]) == pytest.approx(1)
    assert (overall["shp"], overall["summarize"]) == (0.25, 0.25)


def rewardbench_2(path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"{subset}{k}", "prompt": f"{subset} {k}", "subset": subset}
        | {"chosen": ["a"], "rejected": ["b", "c", "d"]}
        for subset in ("Factuality", "Precise IF", "Math", "Safety", "Focus")
        for k in range(3)
    ]
    for k in range(3):
        ties = {"prompt": f"ties {k}", "subset": "Ties", "rejected": ["x"]}
        rows += [
            ties | {"id": f"ref:{k}", "chosen": ["a"]},
            ties | {"id": f"tied:{k}", "chosen": ["a", "b"]},
        ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_rewardbench_2_counts_ties_by_its_own_score(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    rewardbench_2(source)
    paths = read(tmp_path, Benchmark.REWARDBENCH_2, source)
    # The right one of four ties with one other; ties are told apart by far, without a spread.
    write_rewards(paths, [3, 3, 1, 1] * 15 + [9, 1, 9, 9, 1] * 3)
    found = evaluated(paths, "m")
    assert found["m", "subset", "math", "accuracy", "shared"]["value"] == 50
    assert found["m", "subset", "math", "accuracy", "lost"]["value"] == 0
    assert found["m", "subset", "ties", "score", "shared"]["value"] == pytest.approx(101)
    overall = found["m", "overall", "Overall", "accuracy", "shared"]
    assert overall["value"] == pytest.approx((5 * 50 + 101) / 6)
    assert overall["is_published"]
    for level in ("subset", "section"):
        published = [
            row["value"]
            for (model, of_level, *_), row in found.items()
            if (model, of_level) == ("m", level) and row["is_published"]
        ]
        assert published == pytest.approx([50] * 5 + [101])


def test_ppe_has_its_own_measures(tmp_path: Path) -> None:
    source = tmp_path / "gpqa.jsonl"
    rows = [
        {"question_id": str(k), "prompt": f"p{k}", "scores": [k < 2, False, k < 1]}
        | {f"response_{i}": "text" for i in (1, 2, 3)}
        for k in range(3)
    ]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    paths = read(tmp_path, Benchmark.PPE_CORRECTNESS, source)
    write_rewards(paths, [3, 2, 1, 1, 2, 0, 1, 1, 1])
    found = evaluated(paths, "m")
    assert found["m", "subset", "gpqa", "best_of_k", "lost"]["value"] == pytest.approx(100 / 3)
    assert found["m", "subset", "gpqa", "loss", "lost"]["value"] == pytest.approx(100 / 3)
    assert found["m", "subset", "gpqa", "accuracy", "lost"]["value"] == pytest.approx(50)
    assert ("m", "subset", "gpqa", "roc_auc", "lost") in found
    spearman = found["m", "subset", "gpqa", "spearman", "lost"]
    assert -100 <= spearman["value_low"] <= spearman["value"] <= spearman["value_high"] <= 100


def test_missing_rewards_are_counted_and_never_won(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    n = len(rewardbench(source))
    paths = read(tmp_path, Benchmark.REWARDBENCH, source)
    write_rewards(paths, [5, None, None, 1, *[2, 1] * (n - 2)])
    row = evaluated(paths, "m")["m", "all", "All", "accuracy", "lost"]
    assert (row["n_prompts"], row["n_missing"], row["n_comparisons"]) == (n - 2, 2, n - 2)
    rewards = parquet.read(paths["evaluation"] / "response_rewards.parquet", RESPONSE_REWARDS)
    mine = [each for each in rewards.to_pylist() if each["model"] == "m"]
    assert [each["reward"] for each in mine[:4]] == [5, None, None, 1]
    assert mine[0]["n_tokens_read"] == 10
    write_rewards(paths, [None] * (2 * n))
    row = evaluated(paths, "m")["m", "all", "All", "accuracy", "lost"]
    assert (row["n_missing"], row["value"], row["value_low"]) == (n, None, None)


def test_rewards_must_be_of_the_responses(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    n = len(rewardbench(source))
    paths = read(tmp_path, Benchmark.REWARDBENCH, source)
    write_rewards(paths, [1.0] * (2 * n))
    with pytest.raises(InputError, match=r"none of .* longer, shorter, found 'longer'"):
        evaluated(paths, "longer")
    rewardbench(source, without="hep-go")
    others = read(tmp_path, Benchmark.REWARDBENCH, source)
    with pytest.raises(InputError, match="rewards of exactly the responses, found also some of 6"):
        evaluated(others, "m")
    rewardbench(source)
    solutions = others["solutions"].rename(tmp_path / "kept.parquet")
    paths = read(tmp_path, Benchmark.REWARDBENCH, source)
    with pytest.raises(InputError, match="expected the text of every response"):
        evaluated({**paths, "solutions": solutions})


def test_a_correlation_has_an_interval_over_prompts() -> None:
    from scipy.stats import pearsonr

    random = np.random.default_rng(5)
    x = random.normal(size=200)
    y = x + random.normal(size=200)
    value, low, high = correlation(x, y, np.arange(200))
    expected = pearsonr(x, y)
    assert value == pytest.approx(expected.statistic)
    # Fisher's interval, for normal variables.
    interval = expected.confidence_interval()
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=0.03)
    assert np.isnan(correlation(np.ones(5), np.arange(5.0), np.arange(5))[0])
