"""The project's studies, planned without a network: the hub is read by jobs, not by the plan."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def dry_run(folder: Path, study: str, *arguments: str) -> str:
    """The plan of a study with no results yet, where any request to the hub would fail."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(folder), "--configfile", str(ROOT / "config" / study)),
            *("--cores", "16", "--dry-run", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HTTPS_PROXY": "127.0.0.1:9"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def counts(plan: str) -> dict[str, int]:
    """The number of jobs of each rule in a plan."""
    table = plan.split("Job stats:")[-1].split("\n\n")[0]
    return {name: int(number) for name, number in re.findall(r"(?m)^(\w+) +(\d+)$", table)}


def test_the_whole_paper_is_planned(tmp_path: Path) -> None:
    jobs = counts(dry_run(tmp_path, "paper.yaml", "--quiet", "rules"))
    # One dataset is not read but shuffled; the training set is read as well.
    categories = 6 * 14 + 9
    assert jobs["read_solutions"] == categories
    assert jobs["shuffle_steps"] == 14
    assert jobs["generate_critiques"] == 2 * 14
    assert jobs["train_discriminative"] == jobs["train_generative"] == 6
    assert jobs["score_discriminative"] == 6 * categories
    assert jobs["join_rewards_and_critiques"] == 6 * categories
    assert jobs["draw_best_of_n"] == jobs["draw_weighted_vote"] == jobs["draw_legend"] == 15
    assert jobs["draw_shuffled"] == jobs["compare_datasets"] == 1
    assert jobs["check_critiques"] == 2
    assert jobs["total"] > 1000


def test_noise_in_training_asks_the_teacher_once(tmp_path: Path) -> None:
    jobs = counts(dry_run(tmp_path, "paper-noise.yaml", "--quiet", "rules"))
    assert jobs["generate_critiques"] == 14
    assert jobs["filter_critiques"] == 13 * 14
    assert jobs["add_noise"] == 12 * 14
    assert jobs["train_discriminative"] == jobs["train_generative"] == 13
    assert jobs["draw_noise_best_of_n"] == jobs["draw_noise_weighted_vote"] == 1


def test_single_domain_models_share_data_and_critiques(tmp_path: Path) -> None:
    jobs = counts(dry_run(tmp_path, "paper-domains.yaml", "--quiet", "rules"))
    assert jobs["train_discriminative"] == jobs["train_generative"] == 2 * (14 + 2)
    assert jobs["read_solutions"] == 2 * 14
    assert jobs["generate_critiques"] == 2 * 14
    assert jobs["filter_critiques"] == 2 * 2 * 14
    assert jobs["compare_domains"] == jobs["draw_domains"] == 1


def test_process_labels_are_made_from_bare_questions(tmp_path: Path) -> None:
    folder = tmp_path / "versaprm"
    folder.mkdir()
    for name in ("mmlu_train_questions", "mmlu_eval_questions", "mmlu_val"):
        (folder / f"{name}.json").touch()
    (folder / "prm800k_train_reprocessed.json").touch()
    for place in ("mrben/biology.json", "processbench/math.json"):
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).touch()
    jobs = counts(dry_run(tmp_path, "paper-versaprm.yaml", "--quiet", "rules"))
    assert jobs["read_questions"] == jobs["sample_solutions"] == 2 * 14
    # Two judges of training solutions, two of MR-Ben's in five categories, one of ProcessBench's in two.
    assert jobs["judge_steps"] == 2 * 14 + 2 * 5 + 2
    assert jobs["continue_steps"] == jobs["agree_labels"] == jobs["trust_labels"] == 14
    assert jobs["augment_steps"] == 2 * 14
    assert jobs["compare_labels"] == jobs["draw_label_agreement"] == 2
    assert jobs["measure_continuation_shares"] == jobs["draw_continuation_shares"] == 1
    # Labels of people's solutions are compared, but chosen for no dataset.
    assert jobs["choose_labels"] == 5 * 14
    assert jobs["train_whole_discriminative"] == 3
    # Five of them without one category each.
    assert jobs["train_discriminative"] == 17
    # The judge itself, without training.
    assert jobs["score_generative"] == 14


def test_a_judge_is_compared_with_people_without_any_reward_model(
    tmp_path: Path, shared_data: Path
) -> None:
    judge = "backbones={judge: {model: owner/judge, parameters: 8.0e+9}}"
    config = ("--config", f"data={shared_data}", judge)
    plan = dry_run(tmp_path, "human-labels.yaml", "--printshellcmds", *config)
    assert counts(plan) == {
        "read_solutions": 8,
        "take": 8,
        # With and without the reference answer, which two categories do not have.
        "judge_steps": 6 + 8,
        "compare_labels": 3,
        "draw_label_agreement": 3,
        "tabulate_dataset_statistics": 1,
        "tabulate_reply_counts": 1,
        "all": 1,
        "total": 39,
    }
    judging = [line for line in plan.splitlines() if "multirm judge-steps" in line]
    assert len(judging) == 14 and all("--judge owner/judge " in line for line in judging)
    assert sum("--no-reference" in line for line in judging) == 8


def test_a_policys_answers_are_counted_without_any_reward_model(
    tmp_path: Path, shared_data: Path
) -> None:
    policy = "backbones={policy: {model: owner/policy, parameters: 8.0e+9}}"
    config = ("--config", f"data={shared_data}", policy)
    plan = dry_run(tmp_path, "smol-data.yaml", "--printshellcmds", *config)
    jobs = counts(plan)
    assert jobs["read_questions"] == jobs["read_solutions"] == 5
    assert (jobs["sample_solutions"], jobs["evaluate"], jobs["tabulate_reply_counts"]) == (10, 2, 1)
    assert not {rule for rule in jobs if "train" in rule or "score" in rule}
    lines = plan.splitlines()
    reading = [line for line in lines if "multirm read-questions" in line]
    assert len(reading) == 5 and all("--limit 10 --seed 42" in line for line in reading)
    sampling = [line for line in lines if "multirm sample-solutions" in line]
    assert all("--policy owner/policy " in line for line in sampling)
    shown = [line for line in sampling if "--exemplars results/data/Exemplars/" in line]
    assert sorted(len(re.findall("--shots 0 ", line)) for line in sampling) == [0] * 5 + [1] * 5
    assert all("--shots 5 " in line for line in shown) and len(shown) == 5


def test_critiques_are_written_from_labels_without_a_teacher(
    tmp_path: Path, shared_data: Path
) -> None:
    config = ("--config", f"data={shared_data}")
    plan = dry_run(tmp_path, "smol-critiques.yaml", "--printshellcmds", *config)
    jobs = counts(plan)
    assert "generate_critiques" not in jobs
    assert jobs["demonstrate"] == jobs["filter_critiques"] == jobs["train_generative"] == 2
    filtering = [line for line in plan.splitlines() if "multirm filter-critiques" in line]
    for kind in ("gORM", "gPRM"):
        place = f"/demonstrations/{kind}/PRMBench_train/math.parquet "
        assert sum(f"--kind {kind} " in line and place in line for line in filtering) == 1


def cut_paper(folder: Path, protocols: list[str] | None = None, **changes: object) -> str:
    """A file with the paper's study for one category and one test set, and some changed settings."""
    study = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    study |= {"categories": ["law"], **changes}
    study["evaluation"]["datasets"] = ["MMLU-Pro_Llama-3.1-8B-Instruct"]
    if protocols is not None:
        study["evaluation"]["protocols"] = protocols
    (folder / "cut.yaml").write_text(yaml.safe_dump(study))
    return str(folder / "cut.yaml")


def test_one_table_needs_only_its_own_jobs(tmp_path: Path) -> None:
    target = "results/rewards/dPRM-14B/MMLU-Pro_Llama-3.1-8B-Instruct/law.parquet"
    jobs = counts(dry_run(tmp_path, cut_paper(tmp_path), "--quiet", "rules", "--", target))
    own = {"train_discriminative": 1, "score_discriminative": 1}
    assert jobs == {**own, "read_solutions": 2, "total": 4}


def test_more_seeds_are_more_training_runs(tmp_path: Path) -> None:
    study = cut_paper(tmp_path, training_seeds=[42, 43, 44])
    jobs = counts(dry_run(tmp_path, study, "--quiet", "rules"))
    assert jobs["train_discriminative"] == jobs["train_generative"] == 3 * 6
    assert jobs["score_discriminative"] == 3 * 6
    assert jobs["generate_critiques"] == 2


def test_external_critiques_need_no_teacher(tmp_path: Path) -> None:
    published = {"gORM": ["a/b"], "gPRM": ["a/c"]}
    critiques = {"mmlu_pro": {"dataset": "MMLU-Pro_train", "published": published}}
    jobs = counts(dry_run(tmp_path, cut_paper(tmp_path, critiques=critiques), "--quiet", "rules"))
    assert jobs["read_critiques"] == 2
    assert "generate_critiques" not in jobs and "filter_critiques" not in jobs
    assert jobs["train_generative"] == 6


def test_external_rewards_need_no_training(tmp_path: Path) -> None:
    jobs = counts(dry_run(tmp_path, "published.yaml", "--quiet", "rules"))
    assert jobs["read_rewards"] == 12 * (5 * 14 + 9)
    made = [rule for rule in jobs if not rule.startswith("draw_")]
    assert not [rule for rule in made if "train" in rule or "score" in rule or "critiques" in rule]


def test_the_math_setting_is_planned_over_real_files(tmp_path: Path, shared_data: Path) -> None:
    data = ("--config", f"data={shared_data}")
    plan = dry_run(tmp_path, "paper-math.yaml", "--quiet", "rules", *data)
    assert counts(plan)["train_generative"] == 4


def test_no_two_studies_make_the_same_rewards_in_different_ways() -> None:
    """Replacing the other's would lose what may have taken weeks."""
    made: dict[tuple[str, str], object] = {}
    for file in sorted((ROOT / "config").glob("*.yaml")):
        study = yaml.safe_load(file.read_text())
        evaluated = study["evaluation"].get("datasets", [])
        for key in ((m, d) for m in study.get("models", ()) for d in evaluated):
            how = rewards_made_from(study, *key)
            assert made.setdefault(key, how) == how, key


def rewards_made_from(study: dict[str, Any], model: str, dataset: str) -> list[object]:
    """All settings of a study that a model's rewards on a dataset depend on."""
    settings = study["models"][model]
    critiques = study.get("critiques", {}).get(settings.get("critiques"), {})
    learned = settings.get("dataset")
    learned = learned if isinstance(learned, list) else [learned]
    datasets = [dataset, *learned, critiques.get("dataset")]
    for name in datasets:
        datasets += [study["datasets"][name].get("from")] if name else []
    sections = [study["datasets"].get(name) for name in datasets]
    backbone = study["backbones"].get(settings.get("backbone"))
    return [settings, critiques, sections, backbone, study.get("seed", 42)]


def test_a_file_that_snakemake_cannot_name_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "a{b}.jsonl").touch()
    study = {
        "study": "braces",
        "categories": ["math"],
        "datasets": {"Read": {"reader": "gsm8k", "source": ["*.jsonl"]}},
        "backbones": {},
        "models": {},
        "evaluation": {"datasets": ["Read"]},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    run = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(tmp_path), "--configfile", str(tmp_path / "study.yaml"), "-n"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    line = "multirm: a{b}.jsonl: expected a path without braces, found some; rename it"
    assert line in [each.strip() for each in (run.stdout + run.stderr).splitlines()]


def test_models_from_elsewhere_are_scored_without_training(tmp_path: Path) -> None:
    hub = {"model": "owner/model", "parameters": 7e9}
    models = {
        "qwen": {"kind": "dPRM", "format": "qwen_prm", **hub},
        "classifier": {"kind": "dORM", "format": "classifier", **hub, "scoring": {"shards": 2}},
        "judge": {"kind": "gPRM", **hub, "scoring": {"samples": 1}},
    }
    study = cut_paper(tmp_path, models=models, protocols=[])
    plan = dry_run(tmp_path, study, "--printshellcmds")
    commands = {
        words[words.index("--model") + 1]: words
        for line in plan.splitlines()
        if (words := line.split()) and "--model" in words
    }
    format_of = {model: words[words.index("--format") + 1] for model, words in commands.items()}
    assert format_of == {
        "qwen=owner/model": "qwen_prm",
        "classifier=owner/model": "classifier",
        "owner/model": "multi_rm",
    }
    jobs = counts(plan)
    assert jobs["score_discriminative"] == jobs["score_generative"] == 1
    assert (jobs["score_discriminative_shard"], jobs["join_rewards"]) == (2, 1)
    made = [rule for rule in jobs if not rule.startswith("draw_")]
    assert not [rule for rule in made if "train" in rule or "critiques" in rule]
    assert jobs["read_solutions"] == 1
