"""What makes which jobs stale: edits to a finished study, and the jobs that a dry run then plans."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.plans import dry_run

Jobs = Mapping[str, int]

# The micro study: its rules, and the number of jobs of each.
STUDY: Jobs = {
    "describe_reward_models": 1,
    "simulate_log_errors": 1,
    "generate_miniature": 6,
    "add_noise": 2,
    "tabulate_dataset_statistics": 1,
    "demonstrate": 4,
    "pretrain_backbone": 1,
    "generate_critiques": 4,
    "filter_critiques": 4,
    "shorten_critiques": 4,
    "check_critiques": 2,
    "tabulate_filtering": 1,
    "train_discriminative": 2,
    "train_generative": 2,
    "score_discriminative": 2,
    "score_discriminative_shard": 4,
    "join_rewards": 2,
    "score_generative": 2,
    "score_generative_shard": 4,
    "join_rewards_and_critiques": 2,
    "tabulate_hyper_parameters": 1,
    "measure_length_shift": 1,
    "draw_length_densities": 1,
    "evaluate": 1,
    "evaluate_as_paper": 1,
    "evaluate_verification": 1,
    "analyse_solutions": 1,
    "measure_log_errors": 1,
    "measure_uncertainty": 1,
    "draw_best_of_n": 1,
    "draw_weighted_vote": 1,
    "draw_accuracy_by_cost": 1,
    "draw_f1_by_length": 1,
    "draw_gain_by_length": 1,
    "draw_recoveries": 1,
    "draw_log_errors": 1,
    "draw_win_loss": 1,
    "draw_agreement": 1,
    "draw_gain_by_distance": 1,
    "draw_outcome_f1": 1,
    "draw_f1_by_critiques": 1,
    "draw_step_verification": 1,
    "draw_process_bench": 1,
    "draw_calibration": 1,
    "draw_minimum_position": 1,
    "draw_legend": 1,
    "tabulate_rewards": 1,
    "report_page": 1,
}
RULES = list(STUDY)


def jobs(*rules: str) -> Jobs:
    """All jobs of these rules."""
    return {rule: STUDY[rule] for rule in rules}


def with_page(expected: Jobs) -> Jobs:
    """The same jobs with that of the page, which shows what all others make but figures."""
    makes_tables = any(not rule.startswith("draw_") for rule in expected)
    return {**expected, **jobs("report_page")} if makes_tables else expected


NONE: Jobs = {}
DESCRIBED = jobs("describe_reward_models")
EVALUATED = jobs(*RULES[RULES.index("evaluate") :])
GENERATED = jobs(*RULES[RULES.index("generate_miniature") :])
LEARNED = jobs(*RULES[RULES.index("pretrain_backbone") :])
DRAWN = jobs(*[rule for rule in RULES if rule.startswith("draw_")])
# Figures of accuracies, of which the ceiling is one.
OF_ACCURACIES = jobs("draw_best_of_n", "draw_weighted_vote", "draw_legend")
ANALYSED = jobs("analyse_solutions", "draw_f1_by_length", "draw_recoveries", "draw_agreement")
COUNTED = jobs("tabulate_dataset_statistics")
SHIFTED = jobs("measure_length_shift", "draw_length_densities", "draw_gain_by_distance")
RECORDED = jobs("tabulate_hyper_parameters")
CRITICISED = jobs("tabulate_filtering", *[rule for rule in RULES if rule.endswith("_critiques")])
# The verification of rewards, and the figures of it.
OF_VERIFICATION = jobs(
    *("draw_outcome_f1", "draw_f1_by_critiques", "draw_process_bench"),
    "draw_step_verification",
    *("draw_calibration", "draw_minimum_position"),
)
VERIFIED = jobs("evaluate_verification") | OF_VERIFICATION
MEASURED = jobs("measure_log_errors", "draw_log_errors")
SELECTED = {r: count for r, count in EVALUATED.items() if r not in VERIFIED | MEASURED}
# The simulation is the same in every study.
SEEDED = {rule: count for rule, count in STUDY.items() if rule != "simulate_log_errors"}
SCORED = jobs(*[rule for rule in RULES if rule.startswith(("score_", "join_"))])
ONE_CATEGORY = {rule: count // 2 for rule, count in SCORED.items()}


def planned(folder: Path, *arguments: str, study: str = "config/micro.yaml") -> tuple[Jobs, str]:
    """The jobs that a dry run in `folder` plans, and all its output."""
    asked = arguments or ("--", "all")
    status, output = dry_run(folder, "--configfile", study, "--cores", "2", *asked)
    assert status == 0, output
    if "Nothing to be done" in output:
        return NONE, output
    table = output.split("Job stats:")[1].split("total")[0].splitlines()
    counts = dict(line.split() for line in table[3:] if line.strip())
    return {rule: int(count) for rule, count in counts.items() if rule != "all"}, output


def set_in(*places: str) -> Callable[[dict[str, Any]], None]:
    """An edit of a study by settings such as `a/b/c=value`, with the value in YAML."""

    def edit(study: dict[str, Any]) -> None:
        for place in places:
            path, _, value = place.partition("=")
            *above, last = path.split("/")
            section = study
            for key in above:
                section = section.setdefault(key, {})
            section[last] = yaml.safe_load(value)

    return edit


SETTINGS: dict[str, tuple[str | tuple[str, ...], Jobs]] = {
    "the study's name": ("study=other", COUNTED | RECORDED | jobs("tabulate_filtering")),
    "a cluster's GPUs": ("gpu_memory=40", NONE),
    "processes of a training run": ("models/dORM-micro/training={processes: 4}", NONE),
    "tokens per batch, back to the default": ("models/dORM-micro/scoring={}", NONE),
    "ceiling of figures": ("figures/ceiling=false", OF_ACCURACIES),
    "numbers of solutions": (
        "evaluation/n=[1, 4]",
        SELECTED,
    ),
    "an aggregation": ("evaluation/aggregation={dPRM-micro: mean}", EVALUATED),
    "a learning rate": (
        "models/dORM-micro/training={learning_rate: 0.001}",
        {"train_discriminative": 1, "score_discriminative": 2} | RECORDED | EVALUATED,
    ),
    "the precision of one model": (
        "models/dORM-micro/scoring={dtype: bfloat16}",
        {"score_discriminative": 2} | RECORDED | EVALUATED,
    ),
    "samples of one model": (
        "models/gORM-micro/scoring/samples=1",
        jobs("score_generative_shard", "join_rewards_and_critiques") | RECORDED | EVALUATED,
    ),
    "top-k of one model": (
        "models/gORM-micro/scoring/top_k=7",
        jobs("score_generative_shard", "join_rewards_and_critiques") | RECORDED | EVALUATED,
    ),
    "shards of one model": (
        "models/dPRM-micro/scoring/shards=1",
        {"score_discriminative": 2} | RECORDED | EVALUATED,
    ),
    "length of critiques": (
        "critiques/micro/max_tokens=100",
        CRITICISED
        | jobs("train_generative")
        | jobs("score_generative", "score_generative_shard", "join_rewards_and_critiques")
        | RECORDED
        | SHIFTED
        | EVALUATED,
    ),
    "agreement of critiques with labels": (
        "critiques/micro/agreement=relaxed",
        {rule: count for rule, count in CRITICISED.items() if rule != "generate_critiques"}
        | jobs("train_generative")
        | jobs("score_generative", "score_generative_shard", "join_rewards_and_critiques")
        | SHIFTED
        | RECORDED
        | EVALUATED,
    ),
    "the noise of one dataset": (
        "datasets/Micro_noisy/noise={steps: 0.1}",
        {"add_noise": 2, "train_discriminative": 1, "score_discriminative": 2}
        | DESCRIBED
        | COUNTED
        | RECORDED
        | SHIFTED
        | EVALUATED,
    ),
    "the seed": ("seed=7", SEEDED),
    "one more training seed": (
        "training_seeds=[42, 43]",
        jobs("train_discriminative", "train_generative")
        | SCORED
        | RECORDED
        | DESCRIBED
        | EVALUATED,
    ),
    "one more model": (
        "models/second={kind: dORM, backbone: micro, dataset: Micro_train}",
        {"train_discriminative": 1, "score_discriminative": 2} | RECORDED | DESCRIBED | EVALUATED,
    ),
    "the categories that one model is trained on": (
        "models/dORM-micro/categories=[history]",
        {"train_discriminative": 1, "score_discriminative": 2}
        | SHIFTED
        | RECORDED
        | DESCRIBED
        | EVALUATED,
    ),
    "the categories that one generative model is trained on": (
        "models/gORM-micro/categories=[history]",
        {"check_critiques": 1, "tabulate_filtering": 1, "train_generative": 1}
        | jobs("score_generative_shard", "join_rewards_and_critiques")
        | SHIFTED
        | RECORDED
        | DESCRIBED
        | EVALUATED,
    ),
    "one more model, trained on a single category": (
        "models/second={kind: dPRM, backbone: micro, dataset: Micro_train, categories: [history]}",
        {"train_discriminative": 1, "score_discriminative": 2}
        | {"compare_domains": 1, "draw_domains": 1}
        | RECORDED
        | DESCRIBED
        | EVALUATED,
    ),
    "one more category to evaluate": (
        "datasets/Micro/categories=[chemistry, history, business]",
        {"generate_miniature": 1} | ONE_CATEGORY | COUNTED | SHIFTED | EVALUATED,
    ),
    # Backbone and reward models are trained on all the study's categories.
    "one more category in the study": (
        "categories=[chemistry, history, business]",
        {rule: count * 3 // 2 for rule, count in (CRITICISED | SCORED).items()}
        | jobs("check_critiques", "describe_reward_models")
        | {"generate_miniature": 3, "add_noise": 1, "demonstrate": 2, "pretrain_backbone": 1}
        | jobs("train_discriminative", "train_generative")
        | COUNTED
        | RECORDED
        | SHIFTED
        | EVALUATED,
    ),
    "one more dataset to evaluate": (
        (
            "datasets/Senior={reader: miniature, policy: senior, split: test, questions: 2, solutions: 4}",
            "evaluation/datasets=[Micro, Senior]",
        ),
        {"generate_miniature": 2, "draw_datasets_best_of_n": 1, "draw_datasets_weighted_vote": 1}
        | SCORED
        | COUNTED
        | SHIFTED
        | DESCRIBED
        | EVALUATED,
    ),
}


def planned_with(finished_study: Path, file: Path, *places: str) -> tuple[Jobs, str]:
    """What is planned for the finished study with other settings, which are written to a file."""
    study = yaml.safe_load((finished_study / "config" / "micro.yaml").read_text())
    set_in(*places)(study)
    file.write_text(yaml.safe_dump(study))
    return planned(finished_study, study=str(file))


@pytest.mark.parametrize("name", [name for name, (_, expected) in SETTINGS.items() if expected])
def test_a_setting(finished_study: Path, tmp_path: Path, name: str) -> None:
    places, expected = SETTINGS[name]
    each = [places] if isinstance(places, str) else places
    edited = tmp_path / "edited.yaml"
    assert planned_with(finished_study, edited, *each)[0] == with_page(expected)


def test_settings_that_make_nothing_stale(finished_study: Path, tmp_path: Path) -> None:
    """All at once: the plan names the parameter of one that does."""
    places = [places for places, expected in SETTINGS.values() if not expected]
    stale, output = planned_with(finished_study, tmp_path / "edited.yaml", *places)
    assert stale == NONE, output


def add(text: str, *files: str) -> Callable[[Path], None]:
    """An edit that appends `text` to some files of a checkout."""

    def edit(checkout: Path) -> None:
        for file in files:
            path = checkout / file
            path.write_bytes(path.read_bytes() + text.encode())

    return edit


def put(file: str, before: str, after: str) -> Callable[[Path], None]:
    """An edit that replaces `before`, which occurs once in a file of a checkout, by `after`."""

    def edit(checkout: Path) -> None:
        path = checkout / "src" / "multirm" / file
        text = path.read_text()
        assert text.count(before) == 1, f"{file} has {text.count(before)} of {before!r}"
        path.write_text(text.replace(before, after))

    return edit


def all_of(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(checkout: Path) -> None:
        for each in edits:
            each(checkout)

    return edit


def note_everything(checkout: Path) -> None:
    """Change the comments, docstrings and format of each module, and add an unused function."""
    for path in (checkout / "src").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
                node.body[0] = ast.Expr(ast.Constant("Another docstring."))
        # A module that is run as a file counts as a whole.
        is_run = path.name == "chat_rendering.py"
        more = "def unused():\n    pass\n" if tree.body and not is_run else ""
        path.write_text(f"# A comment.\n{ast.unparse(tree)}\n\n\n{more}")


def add_table(checkout: Path) -> None:
    tables = checkout / "src" / "multirm" / "tables"
    text = (tables / "changes.py").read_text().replace("changes", "trees")
    (tables / "trees.py").write_text(text.replace("CHANGES", "TREES"))
    registry = tables / "registry.py"
    text = registry.read_text().replace("        CHANGES,\n", "        CHANGES,\n        TREES,\n")
    registry.write_text(f"from multirm.tables.trees import TREES\n{text}")


def add_figure(checkout: Path) -> None:
    figures = checkout / "src" / "multirm" / "figures"
    text = (figures / "legend.py").read_text().replace("draw_legend", "draw_other")
    (figures / "other.py").write_text(text)
    put(
        "study/figures.py",
        "FIGURES = {\n",
        'FIGURES = {\n    "other": Figure("other", "Draw.", "Other", ("accuracy", "reward_models")),\n',
    )(checkout)
    shutil.copy(*(checkout / "workflow/report" / f"{name}.rst" for name in ("legend", "other")))


def touch_everything(checkout: Path) -> None:
    for path in checkout.rglob("*"):
        if path.is_file() and ".venv" not in str(path):
            path.touch()


def edit_and_revert(checkout: Path) -> None:
    path = checkout / "src/multirm/text/encoding.py"
    before = path.read_bytes()
    path.write_bytes(before + b"# Not for long.\n")
    path.write_bytes(before)


def other_command(checkout: Path) -> None:
    path = checkout / "workflow/rules/figures.smk"
    path.write_text(path.read_text().replace("multirm {params", "multirm  {params"))


def delete_a_table(checkout: Path) -> None:
    (checkout / "results/rewards/dORM-micro/Micro/history.parquet").unlink()


STARTERS = (
    "cli",
    "study/load",
    "study/study",
    "study/resources",
    "inspect/query",
    "inspect/summary",
)

NOTE = "\n# A comment.\n"
EFFECT = "\nprint('Imported.')\n"


def member(name: str, set_: str, file: str) -> Callable[[Path], None]:
    """An edit that adds a member to a closed set."""
    return put(file, f"class {set_}(StrEnum):\n", f'class {set_}(StrEnum):\n    NEW = "{name}"\n')


JUDGED = (
    {rule: count for rule, count in CRITICISED.items() if rule != "generate_critiques"}
    | jobs("train_generative")
    | jobs("score_generative", "score_generative_shard", "join_rewards_and_critiques")
    | RECORDED
    | SHIFTED
    | EVALUATED
)

EDITS: dict[str, tuple[Callable[[Path], None], Jobs]] = {
    "touching everything": (touch_everything, NONE),
    "a reverted edit": (edit_and_revert, NONE),
    "comments, docstrings and another format everywhere": (note_everything, NONE),
    "modules that only start stages": (
        add(EFFECT, *[f"src/multirm/{module}.py" for module in STARTERS]),
        NONE,
    ),
    "a new version": (put("version.py", 'VERSION = "', 'VERSION = "9'), NONE),
    # The page finds tables of all kinds.
    "a new table": (add_table, jobs("report_page")),
    "a new figure": (add_figure, {"draw_other": 1}),
    "a new reader": (
        all_of(
            member("new", "Reader", "formats/sources.py"),
            put(
                "data/read.py",
                "def read_questions(",
                "def read_new():\n    pass\n\n\ndef read_questions(",
            ),
        ),
        NONE,
    ),
    "a new kind": (member("new", "Kind", "tables/reward_models.py"), NONE),
    "a new engine": (member("new", "EngineName", "engines/name.py"), NONE),
    "a new split": (member("new", "Split", "tables/questions.py"), NONE),
    "a new selection, over which evaluations loop": (
        member("new", "Selection", "tables/accuracy.py"),
        {rule: count for rule, count in SELECTED.items() if rule not in ANALYSED},
    ),
    "a new stage of critiques": (member("new", "CritiqueStage", "tables/critiques.py"), NONE),
    "a new reason to drop critiques, which is counted": (
        member("new", "DropReason", "tables/critiques.py"),
        jobs("check_critiques", "tabulate_filtering"),
    ),
    "a new reason for a missing reward": (member("new", "NoReward", "tables/rewards.py"), NONE),
    "a new aggregation": (
        all_of(
            member("new", "Aggregation", "tables/accuracy.py"),
            put("reward_models/aggregate.py", "def aggregate(", "NEW = 1\n\n\ndef aggregate("),
        ),
        NONE,
    ),
    "noise": (
        add(EFFECT, "src/multirm/data/noise.py"),
        {"add_noise": 2, "train_discriminative": 1, "score_discriminative": 2}
        | COUNTED
        | RECORDED
        | SHIFTED
        | EVALUATED,
    ),
    "modules for other data": (
        add(EFFECT, "src/multirm/data/gsm8k.py", "src/multirm/data/read.py"),
        NONE,
    ),
    "another study": (add("seed: 3\n", "config/config.yaml"), NONE),
    "comments in rules": (
        add(NOTE, *[f"workflow/rules/{stage}.smk" for stage in ("common", "training", "scoring")]),
        NONE,
    ),
    "a caption": (add("More.\n", "workflow/report/accuracy_grid.rst"), NONE),
    "a rule's command": (other_command, DRAWN),
    "a figure's module": (
        add(EFFECT, "src/multirm/figures/accuracy_grid.py"),
        jobs("draw_best_of_n", "draw_weighted_vote"),
    ),
    "a colour": (put("charts/palette.py", "#2E9BD6", "#2E9BD7"), DRAWN | jobs("report_page")),
    "the style of the page": (
        add("/* */", "src/multirm/report/page/static/page.css"),
        jobs("report_page"),
    ),
    "a module of tables for readers": (
        add(EFFECT, "src/multirm/report/filtering.py"),
        jobs("tabulate_filtering"),
    ),
    "how tables for readers are written": (
        put("report/sheets.py", "_AT_ONCE = 4", "_AT_ONCE = 5"),
        RECORDED | jobs("tabulate_rewards"),
    ),
    "how lengths are compared": (
        add(EFFECT, "src/multirm/evaluation/length_shift.py"),
        SHIFTED,
    ),
    "a module of one evaluation": (
        add(EFFECT, "src/multirm/evaluation/step_metrics.py"),
        VERIFIED,
    ),
    "what a simulation assumes": (
        put("evaluation/log_error_simulation.py", "step: float = 0.2", "step: float = 0.3"),
        jobs("simulate_log_errors", "draw_log_errors"),
    ),
    "the merging module, which makes nothing of the study": (
        add(EFFECT, "src/multirm/training/merge.py"),
        NONE,
    ),
    "the encoding": (put("text/encoding.py", 'STEP_END = "', 'STEP_END = " '), LEARNED),
    "facts of the miniature": (
        add("\n", "src/multirm/data/miniature/facts/elements.csv"),
        GENERATED,
    ),
    "how verdicts are read": (add(EFFECT, "src/multirm/text/verdicts.py"), JUDGED),
    "a prompt template": (add("\n", "src/multirm/text/templates/gORM.txt"), LEARNED),
    "the training environment": (add(NOTE, "envs/train.yaml"), LEARNED),
    "vLLM's environment": (
        add(NOTE, "envs/vllm.yaml"),
        jobs("score_generative") | RECORDED | EVALUATED,
    ),
    "a table edited by hand": (
        add("x", "results/data/Micro/history.parquet"),
        ONE_CATEGORY | COUNTED | SHIFTED | EVALUATED,
    ),
    "a deleted table": (delete_a_table, {"score_discriminative": 1} | EVALUATED),
}


@pytest.mark.parametrize("name", [name for name, (_, expected) in EDITS.items() if expected])
def test_an_edit(study_copy: Path, name: str) -> None:
    edit, expected = EDITS[name]
    edit(study_copy)
    assert planned(study_copy)[0] == with_page(expected)


def test_edits_that_make_nothing_stale(study_copy: Path) -> None:
    """One after another in one copy: the plan names the code, the setting or the file of one that does."""
    edits = {name: edit for name, (edit, expected) in EDITS.items() if not expected}
    # Last, since it writes every module in another form, in which other edits would find no place.
    rewriting = edits.pop("comments, docstrings and another format everywhere")
    for edit in (*edits.values(), rewriting):
        edit(study_copy)
    stale, output = planned(study_copy)
    assert stale == NONE, output


def test_a_dry_run_names_the_file_or_the_setting(study_copy: Path) -> None:
    add(EFFECT, "src/multirm/evaluation/step_metrics.py")(study_copy)
    study = study_copy / "config" / "micro.yaml"
    study.write_text(study.read_text().replace("runs: 5", "runs: 6"))
    output = planned(study_copy)[1]
    assert output.count("code of evaluation.step_metrics: ") >= 2
    assert "before: 5" in output
    assert "now: 6" in output


def test_a_move_makes_nothing_stale(study_copy: Path) -> None:
    moved = study_copy.rename(study_copy.with_name("elsewhere under another name"))
    assert planned(moved)[0] == NONE


def clone_with(study_copy: Path, *kept: str) -> Path:
    """A new clone, whose files are all new, with some folders moved from the old one."""
    clone = study_copy.with_name("clone")
    shutil.copytree(study_copy, clone, symlinks=True, ignore=shutil.ignore_patterns(*OWN))
    touch_everything(clone)
    for folder in kept:
        (study_copy / folder).rename(clone / folder)
    return clone


OWN = ("results", ".snakemake")


def test_a_new_clone_keeps_results_with_their_metadata(study_copy: Path) -> None:
    assert planned(clone_with(study_copy, *OWN))[0] == NONE


def test_results_without_metadata_are_stale(study_copy: Path) -> None:
    """Then only times count, and the clone's files are newer."""
    assert planned(clone_with(study_copy, "results"))[0] == STUDY


def test_source_files_count_by_their_content(study_copy: Path) -> None:
    """They have two megabytes: by default, Snakemake would compare times."""
    row = {"q_id": "1", "question": "Which?" + " " * 2_000_000, "cot_id": 0, "answer": "A"}
    solution = {**row, "cot": ["So it is (A)."], "parsed_answer": "A", "labels": [1]}
    data = study_copy / "data"
    data.mkdir()
    for category in ("law", "physics"):
        (data / f"{category}.json").write_text(json.dumps([solution]))
    study = {
        "study": "read",
        "data": "data",
        "categories": ["law", "physics"],
        "datasets": {"Read": {"reader": "published", "source": ["."]}},
        "backbones": {},
        "models": {},
        "evaluation": {"datasets": ["Read"]},
    }
    (study_copy / "config" / "read.yaml").write_text(yaml.safe_dump(study))
    tables = [f"results/data/Read/{category}.parquet" for category in ("law", "physics")]
    command = (sys.executable, "-m", "snakemake", "--configfile", "config/read.yaml")
    subprocess.run([*command, "--cores", "2", "--", *tables], cwd=study_copy, check=True)

    def of_read(*arguments: str) -> Jobs:
        return planned(study_copy, *arguments, "--", *tables, study="config/read.yaml")[0]

    later = (data / "law.json").stat().st_mtime + 100
    os.utime(data / "law.json", (later, later))
    assert of_read() == NONE
    (data / "law.json").write_text(json.dumps([{**solution, "cot": ["It is (A)."]}]))
    assert of_read() == {"read_solutions": 1}
    add(NOTE, "src/multirm/data/gsm8k.py")(study_copy)
    assert of_read() == {"read_solutions": 1}
    add(EFFECT, "src/multirm/data/gsm8k.py")(study_copy)
    assert of_read() == {"read_solutions": 2}
    assert planned(study_copy)[0] == NONE
