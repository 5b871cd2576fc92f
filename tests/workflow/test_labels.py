"""The rules that sample solutions and label their steps, run with the micro study's backbone."""

import subprocess
import sys
from pathlib import Path

import yaml

from multirm.tables import parquet
from multirm.tables.augmentations import AUGMENTATIONS
from multirm.tables.continuation_shares import CONTINUATION_SHARES
from multirm.tables.continuations import CONTINUATIONS
from multirm.tables.conversations import CONVERSATIONS
from multirm.tables.judgements import JUDGEMENTS
from multirm.tables.label_agreement import LABEL_AGREEMENT
from multirm.tables.labels import LABELS
from multirm.tables.questions import QUESTIONS
from multirm.tables.samples import SAMPLES
from multirm.tables.search_accuracy import SEARCH_ACCURACY
from multirm.tables.searches import SEARCHES
from multirm.tables.solutions import SOLUTIONS

SHORT = {"max_tokens": 8}
POLICY = {"policy": "micro", "exemplars": "Micro_pretrain", "shots": 1, **SHORT}


def test_steps_are_labelled_by_every_source_and_compared(study_copy: Path) -> None:
    file = study_copy / "config" / "micro.yaml"
    study = yaml.safe_load(file.read_text())
    one = {"categories": ["history"]}
    study["questions"] = {"Bare": {"reader": "miniature", "split": "test", "questions": 2, **one}}
    study["datasets"] |= {
        "Sampled": {"sample": {"questions": "Bare", "per_question": 3, **POLICY}},
        "Judged": {
            "from": "Micro_train",
            "label": {"judge": {"model": "micro", "reference": False, **SHORT}},
            **one,
        },
        "Continued": {
            "from": "Micro_train",
            "label": {"monte_carlo": {"per_prefix": 5, **POLICY}},
            **one,
        },
        "Known": {"from": "Micro_train", "label": {"known": "miniature"}, **one},
    }
    study["searches"] = {
        "beams": {
            "questions": "Bare",
            "model": "dPRM-micro",
            **POLICY,
            "method": "beam_search",
            "candidates": 2,
            "max_step_tokens": 8,
        }
    }
    study["evaluation"]["step_labels"] = ["Known"]
    file.write_text(yaml.safe_dump(study))
    results = study_copy / "results"
    agreement = "results/evaluation/Known/label_agreement.parquet"
    samples = "results/samples/Sampled/history.parquet"
    searches = "results/evaluation/Bare/search_accuracy.parquet"
    figure = "results/figures/continuation_shares/Continued.png"
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/micro.yaml"]
    run = subprocess.run(
        [
            *command,
            "--cores",
            "2",
            "--show-failed-logs",
            "--",
            agreement,
            samples,
            figure,
            searches,
        ],
        cwd=study_copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # 12 questions with 4 solutions each, by three sources; a judge asks again, up to three times.
    labelled = {
        name: parquet.read(results / "labels" / name / "history.parquet", LABELS).to_pylist()
        for name in ("Judged", "Continued", "Known")
    }
    solutions = {
        name: {(row["question_id"], row["solution_id"]) for row in rows}
        for name, rows in labelled.items()
    }
    assert {name: len(keys) for name, keys in solutions.items()} == dict.fromkeys(labelled, 48)
    assert {row["label"] for row in labelled["Known"]} == {0, 1}
    judged = parquet.read(results / "judgements" / "Judged" / "history.parquet", JUDGEMENTS)
    assert 48 <= judged.num_rows <= 3 * 48
    continued = results / "continuations" / "Continued" / "history.parquet"
    assert parquet.read(continued, CONTINUATIONS).num_rows > 48
    assert parquet.read(study_copy / samples, SAMPLES).num_rows == 2 * 3
    shares = results / "evaluation" / "Continued" / "continuation_shares.parquet"
    for row in parquet.read(shares, CONTINUATION_SHARES).to_pylist():
        assert row["guessing_rate"] == 0.1
    assert (study_copy / figure).is_file()
    found = parquet.read(results / "searches" / "beams" / "history.parquet", SEARCHES)
    assert found["dataset"].to_pylist() == ["Bare"] * 2
    assert parquet.read(study_copy / searches, SEARCH_ACCURACY).num_rows
    rows = parquet.read(study_copy / agreement, LABEL_AGREEMENT).to_pylist()
    compared = {row["labels"]: row for row in rows if row["category"] == "history"}
    assert {*compared} == {"Judged", "Continued"}
    assert {row["n_labelled"] + row["n_missing"] for row in compared.values()} == {48}


def test_labels_are_chosen_and_steps_written_anew(study_copy: Path, shared_data: Path) -> None:
    """The rules that read labels, those before them that read questions and show tasks, and those of trees."""
    file = study_copy / "config" / "micro.yaml"
    study = yaml.safe_load(file.read_text())
    one = {"categories": ["history"]}
    known = {"from": "Micro_train", "label": {"known": "miniature"}, **one}
    source = [str(shared_data / "mmlu_pro" / "eval_questions.json")]
    study["questions"] = {"Read": {"reader": "mmlu_pro", "source": source, **one}}
    study["datasets"] |= {
        "Known": known,
        "Other": known,
        "Agreed": {"from": "Micro_train", "label": {"agree": ["Known", "Other"]}, **one},
        "Trusted": {
            "from": "Micro_train",
            "label": {"trust": {"model": "dPRM-micro", "tolerance": 1}},
            **one,
        },
        "Reworded": {"from": "Known", "augment": {"model": "micro", "kind": "rewrite", **SHORT}},
    }
    study["trees"] = {"merged": {"dataset": "Micro_train", "reward": {"model": "dPRM-micro"}}}
    study["preferences"] = {
        "pairs": {"trees": "merged", "gap": 0, "min_leaves": 1, "n_outcome_pairs": 1}
    }
    study["models"]["pairwise"] = {
        "kind": "pairwise",
        "backbone": "micro",
        "preferences": "pairs",
        "training": {"epochs": 0.5},
        **one,
    }
    study["evaluation"]["protocols"] = []
    file.write_text(yaml.safe_dump(study))
    wanted = {
        name: f"results/{name}/history.parquet"
        for name in (
            *("data/Agreed", "data/Trusted", "augmentations/Reworded", "labels/Reworded"),
            *("questions/Read", "demonstrations/solve/Micro_pretrain"),
            *("trees/merged", "preferences/pairs", "rewards/pairwise/Micro"),
        )
    }
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/micro.yaml"]
    run = subprocess.run(
        [*command, "--cores", "2", "--show-failed-logs", "--", *wanted.values()],
        cwd=study_copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    known_table = study_copy / "results" / "data" / "Known" / "history.parquet"
    truth = parquet.read(known_table, SOLUTIONS)["step_labels"]
    for name in ("Agreed", "Trusted"):
        found = parquet.read(study_copy / wanted[f"data/{name}"], SOLUTIONS)
        assert set(found["dataset"].to_pylist()) == {name}
        # The same source twice agrees with itself in everything, and any reward is within 1 of a label.
        if name == "Agreed":
            assert found["step_labels"].to_pylist() == truth.to_pylist()
        else:
            assert found["step_labels"].null_count < found.num_rows == len(truth)
    replies = parquet.read(study_copy / wanted["augmentations/Reworded"], AUGMENTATIONS).to_pylist()
    assert {row["kind"] for row in replies} == {"rewrite"}
    questions = parquet.read(study_copy / wanted["questions/Read"], QUESTIONS).to_pylist()
    assert len(questions) == 150
    shown = study_copy / wanted["demonstrations/solve/Micro_pretrain"]
    assert parquet.read(shown, CONVERSATIONS).num_rows
