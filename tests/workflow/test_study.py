"""A whole study, run for real: its results, and that nothing is left to do afterwards."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from peft import PeftModel

from multirm.database.opening import open_database
from multirm.inspect.trace import read_origin
from multirm.models.load import load_model
from multirm.running.code import code_digest
from multirm.study.evaluations import EVALUATIONS
from multirm.study.figures import figures_of
from multirm.study.load import load_study, read_yaml
from multirm.study.report_tables import REPORT_TABLES
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.domains import DOMAINS
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.views import find_tables
from tests.origins import made_of

ROOT = Path(__file__).resolve().parents[2]
MICRO = Path(__file__).with_name("micro.yaml")
STUDY = load_study(read_yaml(MICRO), [MICRO])


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in `folder`, with the workflow there or, without one, this checkout's."""
    checkout = folder if (folder / "Snakefile").exists() else ROOT
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile")),
            *("--directory", str(folder), "--cores", "2", "--show-failed-logs", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def planned_rules(output: str) -> set[str]:
    """The rules that a dry run would run, from its table of counts."""
    table = output.split("Job stats:")[1].split("total")[0].splitlines()
    return {line.split()[0] for line in table[3:] if line.strip()}


def read_study(folder: Path, reader: str, source: list[str], data: str) -> Path:
    """A file in `folder` with a study of one external dataset and no reward model."""
    study = {
        "study": "read",
        "data": data,
        "categories": ["law", "physics"],
        "datasets": {"Read": {"reader": reader, "source": source}},
        "backbones": {},
        "models": {},
        "evaluation": {"datasets": ["Read"], "n": [1], "runs": 2},
    }
    file = folder / "read.yaml"
    file.write_text(yaml.safe_dump(study))
    return file


def published(answer: str) -> str:
    """A file in Multi-RM's layout with one solution."""
    row = {"q_id": "1", "question": "Which?", "cot_id": 0, "cot": ["So it is (A)."]}
    return json.dumps([{**row, "parsed_answer": "A", "answer": answer, "labels": [1]}])


def test_every_figure_is_there_in_four_formats(finished_study: Path) -> None:
    figures = finished_study / "results" / "figures"
    for selection in ("best_of_n", "weighted_vote"):
        svg, pdf, png, html = (
            (figures / f"Micro_{selection}.{suffix}").read_bytes()
            for suffix in ("svg", "pdf", "png", "html")
        )
        assert svg.lstrip().startswith(b"<svg")
        assert pdf.startswith(b"%PDF")
        assert png.startswith(b"\x89PNG")
        assert b"<html" in html


@pytest.mark.parametrize("model", STUDY.runs)
@pytest.mark.parametrize("category", STUDY.categories)
def test_every_solution_has_its_rewards(finished_study: Path, model: str, category: str) -> None:
    results = finished_study / "results"
    solutions = parquet.read(results / "data" / "Micro" / f"{category}.parquet", SOLUTIONS)
    rewards = parquet.read(results / "rewards" / model / "Micro" / f"{category}.parquet", REWARDS)
    key = ["dataset", "category", "question_id", "solution_id"]
    assert rewards.select(key) == solutions.select(key)
    kind = STUDY.runs[model].kind
    for row, solution in zip(rewards.to_pylist(), solutions.to_pylist(), strict=True):
        expected = len(solution["steps"]) if kind.startswith("d") else 2
        assert len(row["rewards"]) == expected
        assert all(reward is None or 0 <= reward <= 1 for reward in row["rewards"])


@pytest.mark.parametrize("model", ["gORM-micro", "gPRM-micro"])
def test_the_critiques_behind_rewards_are_kept(finished_study: Path, model: str) -> None:
    folder = finished_study / "results" / "rewards" / model / "Micro"
    rewards = parquet.read(folder / "history.parquet", REWARDS)
    critiques = parquet.read(folder / "history.critiques.parquet", SCORED_CRITIQUES)
    behind = [reward for row in rewards["rewards"].to_pylist() for reward in row]
    assert critiques["reward"].to_pylist() == behind


@pytest.mark.parametrize("kind", ["gORM", "gPRM"])
def test_filtering_loses_no_critique(finished_study: Path, kind: str) -> None:
    folder = finished_study / "results" / "critiques" / "micro" / kind
    counts = {
        stage: parquet.read(folder / stage / "chemistry.parquet", CRITIQUES).num_rows
        for stage in ("generated", "filtered", "shortened")
    }
    assert counts == dict.fromkeys(counts, 12 * 4 * 2)


def test_choices_from_whole_pools_have_the_accuracy_at_that_n(finished_study: Path) -> None:
    database = open_database(find_tables(finished_study / "results"))
    rows = database.sql(
        "SELECT accuracy, 100 * chosen FROM accuracy JOIN ("
        " SELECT dataset, category, selection, model, aggregation, n, avg(correct) AS chosen"
        " FROM choices GROUP BY ALL"
        ") AS choices ON (accuracy.dataset, accuracy.category, accuracy.selection, accuracy.n)"
        " = (choices.dataset, choices.category, choices.selection, choices.n)"
        " AND accuracy.model IS NOT DISTINCT FROM choices.model"
        " AND accuracy.aggregation IS NOT DISTINCT FROM choices.aggregation"
        " WHERE estimator = 'exact'"
    ).fetchall()
    # Two categories: four models under two selections, and the majority vote.
    assert len(rows) == 2 * (4 * 2 + 1)
    for accuracy, chosen in rows:
        assert chosen == pytest.approx(accuracy)


def test_adapters_are_ordinary_peft_folders(finished_study: Path) -> None:
    results = finished_study / "results"
    for model in STUDY.runs:
        base = load_model(str(results / "backbones" / "micro" / "model"))
        adapted = PeftModel.from_pretrained(base, results / "models" / model / "adapter")
        learned = [weights for name, weights in adapted.named_parameters() if "lora_B" in name]
        assert learned
        assert any(weights.abs().max() > 0 for weights in learned)


def test_tables_have_the_provenance_of_their_inputs(finished_study: Path) -> None:
    footer = parquet.read_footer(
        finished_study / "results/rewards/dPRM-micro/Micro/history.parquet"
    )
    assert footer.schema == "rewards"
    assert any(name.endswith("Micro/history.parquet") for name in footer.inputs)
    assert not any(Path(name).is_absolute() for name in footer.inputs)
    written = finished_study / "results/rewards/gORM-micro/Micro/history.parquet"
    assert "src/multirm/text/templates/gORM.txt" in parquet.read_footer(written).inputs


def test_the_code_in_footers_is_that_of_the_rules(finished_study: Path) -> None:
    """A footer has the code digests that Snakemake compares for staleness."""
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    compared = set(re.findall(r'code\("([\w.]+)"\)', rules))
    families = {"evaluation": EVALUATIONS, "figures": figures_of(STUDY), "report": REPORT_TABLES}
    for folder, family in families.items():
        compared |= {f"multirm.{folder}.{each.module}" for each in family.values()}
    results = finished_study / "results"
    made = [*results.rglob("*.parquet"), *results.rglob("adapter")]
    made += [*results.rglob("*.svg"), results / "report.html"]
    named: dict[str, str] = {}
    for path in made:
        origin = read_origin(path)
        assert origin is not None, path
        assert origin.code, path
        named |= origin.code
    assert named == {module: code_digest(module) for module in named}
    unused = {"multirm.data.published_critiques", "multirm.data.read", "multirm.training.merge"}
    unused |= {"multirm.data.shuffle", "multirm.data.take", "multirm.data.noisy_labels"}
    unused |= {"multirm.evaluation.changes", "multirm.evaluation.domains"}
    unused |= {"multirm.report.gain_table", "multirm.report.augmentation_counts"}
    unused |= {"multirm.report.reply_counts"}
    for stage in ("labels", "trees", "searches"):
        text = (ROOT / "workflow" / "rules" / f"{stage}.smk").read_text()
        unused |= set(re.findall(r'code\("([\w.]+)"\)', text))
    unused |= {"multirm.training.pairwise", "multirm.evaluation.error_depths"}
    unused |= {"multirm.data.task_demonstrations"}
    assert compared - set(named) == unused
    assert set(named) <= compared


def test_domains_are_compared_where_a_model_is_trained_on_one(study_copy: Path) -> None:
    """As in a study with such a model, of which only the rewards are made up."""
    study = read_yaml(MICRO)
    study["models"]["dPRM-history"] = study["models"]["dPRM-micro"] | {"categories": ["history"]}
    file = study_copy / "config" / "micro.yaml"
    file.write_text(yaml.safe_dump(study))
    rewards = study_copy / "results" / "rewards"
    for category in study["categories"]:
        path = rewards / "dPRM-micro" / "Micro" / f"{category}.parquet"
        rows = parquet.read(path, REWARDS).to_pylist()
        for row in rows:
            row |= {"model": "dPRM-history", "rewards": row["rewards"][::-1]}
        other = rewards / "dPRM-history" / "Micro" / path.name
        other.parent.mkdir(parents=True, exist_ok=True)
        parquet.write(other, REWARDS, rows, made_of())
    wanted = ["results/evaluation/Micro/domains.parquet", "results/figures/domains/Micro.svg"]
    rules = ["describe_reward_models", "compare_domains", "draw_domains"]
    run = snakemake(study_copy, "--configfile", str(file), "--allowed-rules", *rules, "--", *wanted)
    assert run.returncode == 0, run.stdout + run.stderr
    found = parquet.read(study_copy / wanted[0], DOMAINS).to_pylist()
    assert {(row["model"], row["other_model"], row["trained_on"]) for row in found} == {
        ("dPRM-micro", "dPRM-history", "history"),
        ("dPRM-micro", None, None),
    }
    assert {row["n_unknown_models"] for row in found} == {0}
    assert (study_copy / wanted[1]).is_file()


def test_a_finished_study_has_nothing_to_do(finished_study: Path) -> None:
    run = snakemake(finished_study, "--configfile", str(MICRO), "--dry-run", "--", "all")
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_one_table_needs_only_its_own_jobs(tmp_path: Path) -> None:
    target = "results/rewards/dPRM-mini/Facts_senior/history.parquet"
    miniature = ROOT / "config" / "config.yaml"
    run = snakemake(tmp_path, "--configfile", str(miniature), "--dry-run", "--", target)
    assert run.returncode == 0, run.stdout + run.stderr
    assert planned_rules(run.stdout) == {
        "generate_miniature",
        "demonstrate",
        "pretrain_backbone",
        "train_discriminative",
        "score_discriminative",
    }


def test_a_study_without_generative_models_needs_no_critiques(tmp_path: Path) -> None:
    study = read_yaml(MICRO)
    del study["critiques"]
    study["models"] = {name: m for name, m in study["models"].items() if m["kind"] == "dORM"}
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    run = snakemake(tmp_path, "--configfile", str(file), "--dry-run", "--", "all")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "generate_critiques" not in planned_rules(run.stdout)


def test_the_math_study_can_be_planned(shared_data: Path, tmp_path: Path) -> None:
    study = ROOT / "config" / "math.yaml"
    run = snakemake(
        tmp_path, "--configfile", str(study), "--config", f"data={shared_data}", "--dry-run"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "read_solutions" in run.stdout


def test_files_and_hub_names_are_read_together(tmp_path: Path) -> None:
    data = tmp_path / "my data"
    data.mkdir()
    (data / "one.json").write_text("[]")
    study = read_study(tmp_path, "published", ["owner/hub-name", "*.json"], data.name)
    target = "results/data/Read/law.parquet"
    run = snakemake(tmp_path, "--configfile", str(study), "--dry-run", "-p", "--", target)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "--source owner/hub-name 'my data/one.json' --dataset" in run.stdout


def test_a_broken_source_is_not_ignored(tmp_path: Path) -> None:
    """Results of other files stay, and the next run fails on the same file again."""
    data = tmp_path / "it's my data"
    data.mkdir()
    for category in ("law", "physics"):
        (data / f"{category}.json").write_text(published("A"))
    study = ("--configfile", str(read_study(tmp_path, "published", ["."], data.name)))
    first = snakemake(tmp_path, *study, "--", "all")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Figures are in results/figures" in first.stdout
    results = tmp_path / "results"
    figure = (results / "figures" / "Read_best_of_n.svg").read_bytes()

    (data / "law.json").write_text("[{")
    for _ in range(2):
        run = snakemake(tmp_path, *study, "--", "all")
        assert run.returncode != 0
        assert "law.json, line 1: expected JSON" in run.stdout + run.stderr
        assert not (results / "data" / "Read" / "law.parquet").exists()
        assert (results / "data" / "Read" / "physics.parquet").exists()
        assert (results / "figures" / "Read_best_of_n.svg").read_bytes() == figure

    (data / "law.json").write_text(published("B"))
    run = snakemake(tmp_path, *study, "--", "results/data/Read/law.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Figures are in" not in run.stdout
    run = snakemake(tmp_path, *study, "--dry-run", "--quiet", "host", "--", "all")
    assert planned_rules(run.stdout) == {
        "evaluate",
        "evaluate_as_paper",
        "evaluate_verification",
        "analyse_solutions",
        "measure_log_errors",
        "measure_uncertainty",
        "draw_best_of_n",
        "draw_weighted_vote",
        "draw_accuracy_by_cost",
        "draw_f1_by_length",
        "draw_gain_by_length",
        "draw_recoveries",
        "draw_log_errors",
        "draw_win_loss",
        "draw_agreement",
        "draw_outcome_f1",
        "draw_f1_by_critiques",
        "draw_step_verification",
        "draw_process_bench",
        "draw_calibration",
        "draw_minimum_position",
        "draw_legend",
        "tabulate_dataset_statistics",
        "tabulate_rewards",
        "report_page",
        "all",
    }


def test_training_runs_are_launched_in_their_processes(tmp_path: Path) -> None:
    run = snakemake(tmp_path, "--configfile", str(MICRO), "--dry-run", "-p", "--", "all")
    launches = re.findall(r"(python_in_processes \d+ \d+) -m multirm train-", run.stdout)
    assert sorted(launches) == ["python_in_processes 1 0"] * 3 + ["python_in_processes 2 0"]


def test_a_studys_template_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "my template.txt").write_text("{question} {solution}")
    study = read_yaml(MICRO)
    study["critiques"]["micro"]["templates"] = {"gPRM": "my template.txt"}
    study["backbones"]["micro"]["pretrain"]["templates"] = {"gPRM": "my template.txt"}
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    run = snakemake(tmp_path, "--configfile", str(file), "--dry-run", "-p", "--", "all")
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if "my template" in line and "-m" in line]
    assert all("-template 'my template.txt'" in line for line in lines)
    assert len(lines) == 1 + 2 + 1 + 2


def test_a_study_without_a_name_is_not_merged_with_the_miniature(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("seed: 1\n")
    run = snakemake(tmp_path, "--configfile", str(file), "--dry-run")
    assert run.returncode != 0
    assert "expected a value for study" in run.stderr


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sed=1", "did you mean seed?"),
        ("categories=[a b]", "a name of letters"),
        ("evaluation={datasets: [Nothing]}", "Nothing is not one of"),
    ],
)
def test_an_invalid_study_stops_before_any_job(tmp_path: Path, setting: str, message: str) -> None:
    run = snakemake(tmp_path, "--configfile", str(MICRO), "--config", setting)
    assert run.returncode != 0
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results").exists()


def test_missing_files_are_named_before_any_job(tmp_path: Path) -> None:
    study = ROOT / "config" / "math.yaml"
    run = snakemake(tmp_path, "--configfile", str(study), "--config", "data=nowhere")
    assert run.returncode != 0
    assert "nowhere/gsm8k/example_model_solutions.jsonl" in run.stderr + run.stdout
