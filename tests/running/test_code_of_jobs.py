"""The digested code of a job includes everything that it really runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import multirm
from multirm.cli import COMMANDS
from multirm.running.code import Package

WATCH = Path(__file__).with_name("run_watched.py")
ENTRIES = {name: target for group in COMMANDS.values() for name, (target, _) in group.items()}

# Imports only, which have no effect.
NO_NAMES = {"<module>", "<lambda>", "<genexpr>", "<listcomp>"}


# Models that are compared as trained on several categories and on one, whatever they are.
DESCRIBED = {"kind": "dPRM", "backbone": "small"}
TRAINED_ON: list[dict[str, object]] = [
    {"model": "d", "run_of": "d", "training_categories": ["history", "law"]},
    {"model": "g", "run_of": "g", "training_categories": ["history"]},
]


def commands(model: Path, folder: Path) -> list[list[str]]:
    """One of each command that a study's jobs run without a GPU, from data to figures."""
    f = {
        name: str(folder / f"{name}.parquet") for name in "questions data noisy less mixed".split()
    }
    f |= {
        name: str(folder / f"{name}.parquet")
        for name in (
            "shown kept short counts told solved samples variants changed replies models".split()
            + "known turned reached continued shares".split()
        )
    }
    adapters = {kind: str(folder / kind) for kind in ("dPRM", "gORM")}
    recipe = ["--epochs", "1", "--learning-rate", "1e-3", "--batch-size", "4", "--rank", "4"]
    recipe += ["--alpha", "8", "--dropout", "0.1", "--weight-decay", "0.01", "--warmup", "0.1"]
    recipe += ["--seed", "1", "--parallelism", "ddp", "--max-length", "1000"]
    backbone = ["--backbone", str(model), "--solutions", f["data"]]
    evaluated = ["--solutions", f["data"], "--rewards", f"d={folder}/d.parquet"]
    evaluated += [f"g={folder}/g.parquet", "--aggregation", "d=min,prod", "g=mean"]
    sampled = ["--samples", "2", "--max-tokens", "4", "--temperature", "0.6", "--seed", "1"]
    made = ["--category", "history", "--dataset", "d", "--policy", "junior", "--split", "train"]
    made += ["--questions", "3", "--solutions", "4", "--label-noise", "0.1", "--seed", "1"]
    figures = [str(folder / f"figure.{suffix}") for suffix in ("svg", "pdf", "png", "html")]
    tables = [str(folder / f"table.{suffix}") for suffix in ("parquet", "tex", "md", "csv")]
    written = {
        kind: [f"{folder}/{kind}-c.parquet", f"{folder}/{kind}-e.parquet"] for kind in adapters
    }

    def changed(command: str, output: str, *options: str) -> list[str]:
        said = ["--solutions", f["data"], "--dataset", "e", "--output", f[output], "--seed", "1"]
        return [command, *said, *options]

    def trained(kind: str, command: str, *options: str) -> list[str]:
        curve, examples = written[kind]
        said = ["--kind", kind, "--name", kind, *backbone, "--output", adapters[kind]]
        return [command, *said, "--curve", curve, "--examples", examples, *recipe, *options]

    return [
        ["generate-miniature", *made, "--output-questions", f["questions"]]
        + ["--output-solutions", f["data"]],
        changed("add-noise", "noisy", "--steps", "0.5", "--outcomes", "0.5"),
        changed("take", "less", "--questions", "2", "--per-question", "2", "--steps", "2"),
        changed("shuffle-steps", "mixed"),
        ["check-steps", "--solutions", f["data"], "--output", f["known"], "--seed", "1"],
        [*changed("add-noise-to-labels", "turned"), "--labels", f["known"], "--steps", "0.5"],
        [
            "demonstrate",
            "--kind",
            "gORM",
            "--solutions",
            f["data"],
            "--output",
            f["shown"],
            "--seed",
            "1",
        ],
        ["demonstrate-task", "--task", "solve", "--solutions", f["data"], "--output", f["told"]]
        + ["--shots", "0", "--seed", "1"],
        ["sample-solutions", "--questions", f["questions"], "--policy", str(model)]
        + [
            "--dataset",
            "f",
            "--output",
            f["solved"],
            "--output-samples",
            f["samples"],
            *sampled[2:],
        ]
        + ["--engine", "transformers", "--shots", "0", "--per-question", "2"],
        ["continue-steps", "--solutions", f["data"], "--policy", str(model), "--shots", "0"]
        + ["--per-prefix", "5", "--engine", "transformers", "--output", f["reached"]]
        + ["--output-continuations", f["continued"], *sampled[2:]],
        ["measure-continuation-shares", "--solutions", f["data"], "--labels", f["reached"]]
        + ["--continuations", f["continued"], "--dataset", "g", "--output", f["shares"]],
        ["draw-continuation-shares", "--continuation-shares", f["shares"], "--output", *figures],
        ["augment-steps", "--solutions", f["data"], "--model", str(model), "--dataset", "f"]
        + ["--kind", "counterfactual", "--engine", "transformers", "--output", f["variants"]]
        + ["--output-labels", f["changed"], "--output-augmentations", f["replies"], *sampled[2:]],
        ["filter-critiques", "--kind", "gORM", "--solutions", f["data"], "--critiques", f["shown"]]
        + ["--output", f["kept"], "--max-length", "9999", "--seed", "1"],
        ["shorten-critiques", "--kind", "gORM", "--critiques", f["kept"], "--output", f["short"]],
        ["check-critiques", "--kind", "gORM", "--critiques", f["short"], "--output", f["counts"]],
        trained("dPRM", "train-discriminative"),
        trained("gORM", "train-generative", "--critiques", f["short"]),
        ["score-discriminative", "--model", f"d={adapters['dPRM']}", "--solutions", f["data"]]
        + ["--output", f"{folder}/d.parquet"],
        ["score-generative", "--kind", "gORM", "--name", "g", "--model", adapters["gORM"], *sampled]
        + ["--solutions", f["data"], "--output", f"{folder}/g.parquet"]
        + ["--output-critiques", f"{folder}/gc.parquet", "--engine", "transformers"],
        ["evaluate", *evaluated, "--n", "1", "2", "4", "--output", str(folder / "e")]
        + ["--category-groups", "texts=history"],
        ["evaluate", *evaluated, "--n", "2", "--estimator", "paper", "--output", str(folder / "p")],
        ["evaluate", *evaluated, "--n", "2", "--estimator", "versaprm", "--output", f"{folder}/v"],
        ["evaluate", *evaluated, "--estimator", "openprm", "--output", f"{folder}/o"],
        ["measure-uncertainty", *evaluated, "--n", "2", "--output", str(folder / "e")],
        ["evaluate-verification", *evaluated, "--output", str(folder / "e")],
        ["analyse-solutions", *evaluated, "--output", str(folder / "e")],
        ["measure-log-errors", *evaluated, "--output", str(folder / "e")],
        ["measure-error-depths", *evaluated, "--output", str(folder / "e")],
        ["draw-error-depths", "--error-depths", f"{folder}/e/error_depths.parquet"]
        + ["--error-persistence", f"{folder}/e/error_persistence.parquet", "--output", *figures],
        ["simulate-log-errors", "--output", f"{folder}/e/log_error_simulation.parquet"],
        ["draw-accuracy-grid", "--accuracy", f"{folder}/e/accuracy.parquet"]
        + ["--selection", "best_of_n", "--output", *figures],
        ["compare-datasets", *evaluated, "--n", "2", "--before-solutions", f["data"]]
        + ["--before-rewards", f"d={folder}/d.parquet", f"g={folder}/g.parquet"]
        + ["--output", str(folder / "e")],
        ["draw-shuffled", "--accuracy", f"{folder}/e/accuracy.parquet"]
        + ["--changes", f"{folder}/e/changes.parquet", "--output", *figures],
        ["describe-reward-models", "--dataset", "d", "--output", f["models"], "--models"]
        + [json.dumps(DESCRIBED | model) for model in TRAINED_ON],
        ["compare-domains", "--reward-models", f["models"], *evaluated[:-2], "d=mean", "g=mean"]
        + ["--n", "2", "--output", str(folder / "e")],
        ["draw-domains", "--domains", f"{folder}/e/domains.parquet"]
        + ["--reward-models", f["models"], "--output", *figures],
        ["draw-f1-by-length", "--lengths", f"{folder}/e/lengths.parquet"]
        + ["--solution-groups", f"{folder}/e/solution_groups.parquet", "--output", *figures],
        ["draw-gain-by-length", "--comparisons", f"{folder}/e/comparisons.parquet"]
        + ["--length-correlations", f"{folder}/e/length_correlations.parquet"]
        + ["--solution-groups", f"{folder}/e/solution_groups.parquet", "--output", *figures],
        ["draw-recoveries", "--recoveries", f"{folder}/e/recoveries.parquet"]
        + ["--solution-groups", f"{folder}/e/solution_groups.parquet", "--output", *figures],
        ["draw-win-loss", "--comparisons", f"{folder}/e/comparisons.parquet"]
        + ["--solution-groups", f"{folder}/e/solution_groups.parquet", "--output", *figures],
        ["draw-gains", "--comparisons", f"{folder}/e/comparisons.parquet"]
        + ["--category-groups", f"{folder}/e/category_groups.parquet", "--output", *figures],
        ["draw-agreement", "--agreement", f"{folder}/e/agreement.parquet", "--output", *figures],
        *drawn(folder / "e", *figures),
        ["draw-legend", "--accuracy", f"{folder}/e/accuracy.parquet", "--output", *figures],
        ["measure-length-shift", "--solutions", f["data"], "--learned", f["data"]]
        + ["--critiques", f"set={f['short']}", "--output", str(folder / "e")],
        ["tabulate-dataset-statistics", "--solutions", f["data"], "--output", *tables],
        ["tabulate-augmentation-counts", "--augmentations", f["replies"], "--output", *tables],
        ["draw-augmented-steps", "--augmentation-counts", tables[0], "--output", *figures],
        ["tabulate-filtering", "--checks", f"set={f['counts']}", "--output", *tables],
        ["tabulate-hyper-parameters", "--models", *adapters.values()]
        + ["--curves", *(curve for curve, _ in written.values())]
        + ["--examples", *(examples for _, examples in written.values())]
        + ["--rewards", f"{folder}/d.parquet", f"{folder}/g.parquet", "--output", *tables],
        ["tabulate-reward-table", "--accuracy", f"{folder}/e/accuracy.parquet"]
        + ["--comparisons", f"{folder}/e/comparisons.parquet", "--output", *tables],
        ["tabulate-gain-table", "--category-groups", f"{folder}/e/category_groups.parquet"]
        + ["--comparisons", f"{folder}/e/comparisons.parquet", "--output", *tables],
    ]


def drawn(tables: Path, *figures: str) -> list[list[str]]:
    """The commands for figures of verification and of errors."""
    needed = {
        "outcome-f1": ["thresholds"],
        "f1-by-critiques": ["f1_by_critiques", "thresholds"],
        "step-verification": ["step_verification", "verification"],
        "process-bench": ["step_thresholds"],
        "calibration": ["reliability"],
        "minimum-position": ["minimum_positions"],
        "log-errors": ["log_errors", "log_error_slopes", "log_error_simulation"],
    }
    options = {
        figure: [
            word
            for name in names
            for word in (f"--{name.replace('_', '-')}", f"{tables}/{name}.parquet")
        ]
        for figure, names in needed.items()
    }
    return [[f"draw-{name}", *words, "--output", *figures] for name, words in options.items()]


@pytest.fixture(scope="module")
def ran(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, set[tuple[str, str]]]]:
    """Commands, and the definitions that each of them ran."""
    folder = tmp_path_factory.mktemp("jobs")
    asked, found = folder / "commands.json", folder / "found.json"
    given = commands(tiny_model, folder)
    asked.write_text(json.dumps(given))
    subprocess.run(
        [sys.executable, WATCH, asked, found],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    names = json.loads(found.read_text())
    return [
        (command[0], {(module, name) for module, name in each})
        for command, each in zip(given, names, strict=True)
    ]


def test_the_code_of_a_job_includes_what_it_runs(
    ran: list[tuple[str, set[tuple[str, str]]]],
) -> None:
    package = Package(Path(multirm.__file__).parent)
    for command, names in ran:
        assert len(names) > 5, command
        reached = package.definitions_of(ENTRIES[command].split(":")[0])
        missed = {(module, name) for module, name in names if name not in reached.get(module, ())}
        assert {each for each in missed if each[1] not in NO_NAMES} == set(), command
