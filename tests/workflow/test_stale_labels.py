"""What makes which jobs stale that label steps, write variants and add noise to them.

Nothing is computed: the results are files whose contents do not matter, recorded as if jobs had made them.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import copy_checkout
from tests.workflow.test_staleness import EFFECT, NONE, Jobs, add, member, planned, put, set_in

STUDY = "config/labels.yaml"
POLICY = {"policy": "micro", "exemplars": "Micro_pretrain", "shots": 1}
LEARNED = {"kind": "dPRM", "backbone": "micro"}
DATASETS = {
    "Judged": {"from": "Micro_train", "label": {"judge": {"model": "micro"}}},
    "Continued": {"from": "Micro_train", "label": {"monte_carlo": POLICY}},
    "Agreed": {"from": "Micro_train", "label": {"agree": ["Judged", "Continued"]}},
    "Known": {"from": "Micro_train", "label": {"known": "miniature"}},
    "Wrong": {"from": "Judged", "augment": {"model": "micro", "kind": "counterfactual"}},
    "Wrong_noisy": {"from": "Wrong", "noise": {"steps": 0.1}},
    "Same": {"from": "Judged", "augment": {"model": "micro", "kind": "rewrite"}},
}
MODELS = {
    "dPRM-wrong": {**LEARNED, "dataset": ["Judged", "Wrong_noisy"]},
    "dPRM-same": {**LEARNED, "dataset": "Same"},
    "dPRM-agreed": {**LEARNED, "dataset": "Agreed"},
}
TARGETS = (
    *(f"results/models/{model}/adapter/adapter_model.safetensors" for model in MODELS),
    "results/evaluation/Known/label_agreement.parquet",
    "results/evaluation/Continued/continuation_shares.parquet",
)


@pytest.fixture(scope="module")
def labelled_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a study of one category that has labels of most sources, as if it were finished."""
    folder = tmp_path_factory.mktemp("labels") / "checkout"
    folder.mkdir()
    copy_checkout(folder)
    study = yaml.safe_load((folder / "config" / "micro.yaml").read_text())
    study["categories"] = ["history"]
    study["datasets"] |= DATASETS
    study["models"] |= MODELS
    study["evaluation"]["step_labels"] = ["Known"]
    (folder / STUDY).write_text(yaml.safe_dump(study))
    for line in snakemake(folder, "--summary").splitlines():
        name = line.partition("\t")[0]
        if name.startswith("results/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
    snakemake(folder, "--cores", "1", "--touch", "--forceall")
    return folder


def snakemake(folder: Path, *arguments: str) -> str:
    command = (sys.executable, "-m", "snakemake", "--configfile", STUDY, *arguments)
    run = subprocess.run(
        [*command, "--", *TARGETS], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def planned_for_labels(folder: Path, study: str = STUDY) -> Jobs:
    return planned(folder, "--", *TARGETS, study=study)[0]


# What follows from variants of solutions, from labels that a judge gives, and from continuations.
WRONG: Jobs = {"add_noise": 1, "add_noise_to_labels": 1, "train_discriminative": 1}
VARIED: Jobs = {**WRONG, "augment_steps": 2, "train_discriminative": 2}
AGREED: Jobs = {"agree_labels": 1, "choose_labels": 1, "train_discriminative": 1}
JUDGED: Jobs = {
    **AGREED,
    **VARIED,
    "judge_steps": 1,
    "choose_labels": 2,
    "train_discriminative": 3,
    "compare_labels": 1,
}
CONTINUED: Jobs = {
    **AGREED,
    "continue_steps": 1,
    "measure_continuation_shares": 1,
    "compare_labels": 1,
}

SETTINGS: dict[str, tuple[str, Jobs]] = {
    "a judge's votes": (
        "datasets/Judged/label/judge={model: micro, votes: 3, temperature: 0.6}",
        JUDGED,
    ),
    "what a judge sees": (
        "datasets/Judged/label/judge={model: micro, reference: false}",
        JUDGED,
    ),
    "continuations per step": ("datasets/Continued/label/monte_carlo/per_prefix=8", CONTINUED),
    "when a step with guessed answers is good": (
        "datasets/Continued/label/monte_carlo/significance=1.0",
        CONTINUED,
    ),
    "which labels count": (
        "datasets/Judged/label/min_agreement=0.6",
        {**VARIED, "choose_labels": 1},
    ),
    "which sources must agree": (
        "datasets/Agreed/label/agree=[Judged, Known]",
        {**AGREED, "compare_labels": 1},
    ),
    "types of errors": (
        "datasets/Wrong/augment/math=[history]",
        {**WRONG, "augment_steps": 1},
    ),
    "the noise of variants": ("datasets/Wrong_noisy/noise={steps: 0.2}", WRONG),
    "noise in outcomes only": (
        "datasets/Wrong_noisy/noise={steps: 0.1, outcomes: 0.1}",
        {"add_noise": 1, "train_discriminative": 1},
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting(labelled_study: Path, tmp_path: Path, name: str) -> None:
    place, expected = SETTINGS[name]
    study = yaml.safe_load((labelled_study / STUDY).read_text())
    set_in(place)(study)
    edited = tmp_path / "edited.yaml"
    edited.write_text(yaml.safe_dump(study))
    assert planned_for_labels(labelled_study, str(edited)) == expected


EDITS: dict[str, tuple[Callable[[Path], None], Jobs]] = {
    "a judge's template": (add("\n", "src/multirm/text/templates/judge.txt"), JUDGED),
    "the template of rewrites": (
        add("\n", "src/multirm/text/templates/rewrite.txt"),
        {"augment_steps": 1, "train_discriminative": 1},
    ),
    "how judgements are read": (add(EFFECT, "src/multirm/text/judging.py"), JUDGED),
    "how guessing is corrected": (add(EFFECT, "src/multirm/data/guessing.py"), CONTINUED),
    "when sources agree": (
        add(EFFECT, "src/multirm/data/agree_labels.py"),
        {**AGREED, "compare_labels": 1},
    ),
    "how labels are chosen": (
        add(EFFECT, "src/multirm/data/choose_labels.py"),
        {**VARIED, "choose_labels": 2, "train_discriminative": 3},
    ),
    "how variants are made": (add(EFFECT, "src/multirm/data/augment_steps.py"), VARIED),
    "noise in labels tables": (
        add(EFFECT, "src/multirm/data/noisy_labels.py"),
        {"add_noise_to_labels": 1, "train_discriminative": 1},
    ),
    "known facts": (
        add(EFFECT, "src/multirm/data/miniature/check.py"),
        {"check_steps": 1, "compare_labels": 1},
    ),
    "shares of continuations": (
        add(EFFECT, "src/multirm/data/continuation_shares.py"),
        {"measure_continuation_shares": 1},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit(labelled_study: Path, tmp_path: Path, name: str) -> None:
    edit, expected = EDITS[name]
    copy = tmp_path / "checkout"
    shutil.copytree(labelled_study, copy, symlinks=True)
    edit(copy)
    assert planned_for_labels(copy) == expected


def test_what_makes_nothing_stale(labelled_study: Path, tmp_path: Path) -> None:
    """A study that is as it was, members of closed sets, and templates that are not used."""
    assert planned_for_labels(labelled_study) == NONE
    copy = tmp_path / "checkout"
    shutil.copytree(labelled_study, copy, symlinks=True)
    member("new", "LabelReason", "tables/labels.py")(copy)
    member("new", "LabelSource", "tables/labels.py")(copy)
    member("new", "AugmentationReason", "tables/augmentations.py")(copy)
    member("new", "ErrorType", "tables/augmentations.py")(copy)
    put("text/augmenting.py", "def normalised(", "NEW = 1\n\n\ndef normalised(")(copy)
    add("\n", "src/multirm/text/templates/judge_without_reference.txt")(copy)
    assert planned_for_labels(copy) == NONE
