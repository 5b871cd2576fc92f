"""Datasets that are sampled, labelled and augmented here: their files, jobs and backbones, and what is refused."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.study import files, label_files, needs, options, report_files, targets
from multirm.study.figures import FIGURES
from multirm.study.load import load_study
from multirm.study.study import Study

CONFIG: dict[str, Any] = {
    "study": "labels",
    "categories": ["history", "business"],
    "questions": {
        "Train_questions": {"reader": "miniature", "split": "train", "questions": 20},
        "Test_questions": {"reader": "miniature", "split": "test", "questions": 10},
        "Read_questions": {"reader": "mmlu_pro", "source": ["eval_questions.json"]},
    },
    "datasets": {
        "Lessons": {
            "reader": "miniature", "policy": "junior", "split": "pretrain",
            "questions": 30, "solutions": 2,
        },
        "Exemplars": {"from": "Lessons", "take": {"questions": 5}},
        "Train": {
            "sample": {"questions": "Train_questions", "policy": "base", "exemplars": "Exemplars"}
        },
        "Judged": {"from": "Train", "label": {"judge": {"model": "judge", "votes": 4, "temperature": 0.6}}},
        "Continued": {"from": "Train", "label": {"monte_carlo": {"policy": "base"}}},
        "Agreed": {"from": "Train", "label": {"agree": ["Judged", "Continued"]}},
        "Trusted": {"from": "Judged", "label": {"trust": {"model": "dPRM"}}},
        "Known": {"from": "Train", "label": {"known": "miniature"}},
        "Augmented": {
            "from": "Judged",
            "augment": {"model": "writer", "kind": "counterfactual", "per_solution": 3},
        },
        "Test": {
            "sample": {"questions": "Test_questions", "policy": "base", "per_question": 16}
        },
    },
    "backbones": {
        "base": {"pretrain": {"datasets": ["Lessons"]}},
        "judge": {"model": "org/judge", "parameters": 7e10},
        "writer": {"model": "org/writer", "parameters": 8e9},
    },
    "models": {
        "dPRM": {"kind": "dPRM", "backbone": "base", "dataset": "Judged"},
        "dPRM-agreed": {"kind": "dPRM", "backbone": "base", "dataset": "Agreed"},
    },
    "evaluation": {"datasets": ["Test"]},
}  # fmt: skip


def study(**changes: dict[str, Any]) -> Study:
    config = deepcopy(CONFIG)
    for section, values in changes.items():
        config[section] |= values
    return load_study(config, [])


def test_what_a_dataset_is_made_with_is_made_too() -> None:
    found = study()
    assert {*targets.used_datasets(found)} == {
        *("Test", "Judged", "Agreed", "Continued", "Train", "Exemplars", "Lessons")
    }
    assert targets.used_backbones(found) == ["base", "judge"]
    wanted = targets.data_targets(found)
    assert {
        "<results>/questions/Train_questions/history.parquet",
        "<results>/questions/Test_questions/business.parquet",
        "<results>/samples/Train/history.parquet",
        "<results>/data/Train/history.parquet",
        "<results>/labels/Agreed/business.parquet",
        "<results>/judgements/Judged/business.parquet",
        "<results>/data/Judged/history.parquet",
    } <= {*wanted}
    assert not any("Known" in table or "Read_questions" in table for table in wanted)
    assert len({*wanted}) == len(wanted)


def test_augmented_datasets_need_their_writer() -> None:
    found = study(models={"other": {"kind": "dPRM", "backbone": "base", "dataset": "Augmented"}})
    assert "writer" in targets.used_backbones(found)
    wanted = targets.data_targets(found)
    for folder in ("labels", "augmentations"):
        assert f"<results>/{folder}/Augmented/history.parquet" in wanted


def test_variants_are_counted_and_drawn_in_studies_that_train_on_them() -> None:
    found = study(models={"other": {"kind": "dPRM", "backbone": "base", "dataset": "Augmented"}})
    table = "<results>/tables/augmentation_counts/labels.parquet"
    assert report_files.inputs_of(found, "augmentation_counts") == {
        "augmentations": [
            f"<results>/augmentations/Augmented/{category}.parquet"
            for category in ("history", "business")
        ]
    }
    assert table in report_files.report_targets(found)
    assert files.drawn_tables(found, FIGURES["augmented_steps"]) == {"augmentation_counts": [table]}
    assert "<results>/figures/augmented_steps/labels.pdf" in targets.figure_targets(found)
    without = study()
    assert table not in report_files.report_targets(without)
    assert not any("augmented" in each for each in targets.figure_targets(without))


def test_variants_are_asked_for_as_the_study_says() -> None:
    augment = {"model": "writer", "kind": "counterfactual", "math": ["business"]}
    found = study(datasets={"Wrong": {"from": "Judged", "augment": augment}})
    assert options.augmenting(found, "Augmented") == [
        *("--kind", "counterfactual", "--per-solution", "3")
    ]
    assert options.augmenting(found, "Wrong")[-2:] == ["--math", "business"]
    assert label_files.augment_template(found, "Wrong", "own") == "own/counterfactual.txt"
    assert label_files.writer(found, "Wrong") == "org/writer"
    words = options.writing(found, "Wrong")
    assert words[words.index("--temperature") + 1] == "0.4"
    for asked in (options.augmenting, partial(label_files.augment_template, templates="own")):
        with pytest.raises(TypeError):
            asked(found, "Judged")


def test_rules_find_their_datasets() -> None:
    found = study()
    assert targets.questions_read_by(found, "miniature") == "Train_questions|Test_questions"
    assert targets.questions_read_by(found, "mmlu_pro") == "Read_questions"
    assert targets.sampled_datasets(found) == "Train|Test"
    assert targets.datasets_labelled_by(found, "judge") == "Judged"
    assert targets.datasets_labelled_by(found, "trust") == "Trusted"
    assert targets.datasets_derived_by(found, "label") == "Judged|Continued|Agreed|Trusted|Known"
    assert targets.datasets_derived_by(found, "augment") == "Augmented"


def test_jobs_read_what_the_study_says() -> None:
    found = study()
    assert label_files.sampled_questions(found, "Train", "history") == (
        "<results>/questions/Train_questions/history.parquet"
    )
    assert label_files.exemplars(found, "Train", "history") == [
        "<results>/data/Exemplars/history.parquet"
    ]
    assert label_files.exemplars(found, "Test", "history") == []
    assert label_files.writer(found, "Judged") == "org/judge"
    assert label_files.writer(found, "Train") == "results/backbones/base/model"
    assert label_files.agreeing_labels(found, "Agreed", "history") == [
        "<results>/labels/Judged/history.parquet",
        "<results>/labels/Continued/history.parquet",
    ]
    assert label_files.trusted_rewards(found, "Trusted", "history") == (
        "<results>/rewards/dPRM/Judged/history.parquet"
    )
    assert options.shots(found, "Train") == ["--shots", "5"]
    assert options.shots(found, "Test") == ["--shots", "0"]
    assert options.shots(found, "Judged") == []
    assert label_files.judge_template(found, "Judged", "own") == "own/judge.txt"
    assert options.judge_reference(found, "Judged") == []
    judge = {"model": "judge", "reference": False}
    hidden = study(datasets={"Judged": {"from": "Train", "label": {"judge": judge}}})
    assert options.judge_reference(hidden, "Judged") == ["--no-reference"]
    assert options.engine(found, "Judged") == "transformers"
    words = options.writing(found, "Train")
    assert words[words.index("--temperature") + 1] == "0.8"
    assert words[words.index("--max-tokens") + 1] == "2048"
    assert "--server" not in words
    with pytest.raises(TypeError):
        label_files.writer(found, "Known")
    with pytest.raises(TypeError):
        options.writing(found, "Agreed")


def test_questions_of_the_miniature_may_be_open() -> None:
    open_ = {"reader": "miniature", "split": "train", "questions": 20, "options": False}
    found = study(questions={"Train_questions": open_})
    assert options.open_questions(found, questions="Train_questions") == ["--open-questions"]
    assert options.open_questions(found, questions="Test_questions") == []
    assert options.open_questions(found, dataset="Lessons") == []


def test_backbones_learn_what_the_study_says() -> None:
    pretraining = {"datasets": ["Lessons"], "tasks": ["solve", "judge"], "critiques": False}
    found = study(backbones={"base": {"pretrain": pretraining}})
    assert files.pretraining_demonstrations(found, "base", "gORM") == []
    assert files.pretraining_conversations(found, "base") == [
        f"<results>/demonstrations/{task}/Lessons/{category}.parquet"
        for task in ("solve", "judge")
        for category in ("history", "business")
    ]
    assert files.pretraining_conversations(study(), "base") == []
    assert len(files.pretraining_demonstrations(study(), "base", "gORM")) == 2


def test_resources_follow_the_number_of_texts() -> None:
    found = study()
    assert needs.n_solutions(found, "Train") == 20 * 16
    assert needs.n_solutions(found, "Judged") == 20 * 16
    assert needs.n_solutions(found, "Augmented") == 20 * 16 * 3
    assert needs.n_questions(found, "Read_questions") == 500
    assert needs.writing(found, "Judged").gpu > 0


def test_answers_categories_and_kept_solutions() -> None:
    found = study(
        questions={
            "Read_questions": {
                "reader": "mmlu_pro",
                "source": ["eval_questions.json"],
                "categories": ["law"],
            }
        },
        datasets={"Law": {"sample": {"questions": "Read_questions", "policy": "base"}}},
    )
    assert found.has_answers("Agreed")
    assert found.has_answers("Law")
    assert found.categories_of("Law") == ["law"]
    assert found.keeps_solutions("Judged")
    assert not found.keeps_solutions("Augmented")


def test_known_labels_are_compared_with_all_others_of_the_same_solutions() -> None:
    found = study(evaluation={"step_labels": ["Known"]})
    assert found.compared_labels("Known") == ["Judged", "Continued", "Agreed"]
    assert "<results>/evaluation/Known/label_agreement.parquet" in targets.evaluation_targets(found)
    assert "Known" in targets.used_datasets(found)
    assert (
        label_files.compared_solutions(found, "Known")[0] == "<results>/data/Train/history.parquet"
    )
    assert label_files.known_labels(found, "Known")[0] == "<results>/labels/Known/history.parquet"
    tables = label_files.compared_labels(found, "Known")
    assert options.named_labels(tables)[0] == "Judged=<results>/labels/Judged/history.parquet"
    # A dataset that is read has its own labels.
    assert label_files.known_labels(found, "Lessons") == []
    with pytest.raises(InputError, match="no other dataset labels the steps of Lessons"):
        study(evaluation={"step_labels": ["Lessons"]})


def test_labels_that_are_only_compared_are_chosen_for_no_dataset() -> None:
    """A judge that labels nothing is a result, and must not fail the study."""
    found = study(evaluation={"step_labels": ["Known"]})
    assert {*targets.used_datasets(found)} - {*targets.datasets_with_solutions(found)} == {"Known"}
    wanted = targets.data_targets(found)
    assert "<results>/labels/Known/history.parquet" in wanted
    assert not any("/data/Known/" in table for table in wanted)
    counted = report_files.inputs_of(found, "dataset_statistics")["solutions"]
    assert not any("/Known/" in table for table in counted)
    models = {"known": {"kind": "dPRM", "backbone": "base", "dataset": "Known"}}
    trained = study(models=models, evaluation={"step_labels": ["Known"]})
    assert "<results>/data/Known/history.parquet" in targets.data_targets(trained)


def test_a_study_may_compare_labels_alone() -> None:
    alone = {key: value for key, value in CONFIG.items() if key != "models"}
    alone["datasets"] = {
        name: each for name, each in CONFIG["datasets"].items() if name != "Trusted"
    }
    found = load_study(alone | {"evaluation": {"step_labels": ["Known"]}}, [])
    assert targets.evaluation_targets(found) == [
        "<results>/evaluation/Known/label_agreement.parquet",
        "<results>/evaluation/Continued/continuation_shares.parquet",
    ]
    drawn = {each.split("/")[2] for each in targets.figure_targets(found)}
    assert drawn == {"label_agreement", "continuation_shares"}
    assert targets.training_targets(found)  # the backbone that samples
    assert not targets.scoring_targets(found)
    with pytest.raises(InputError, match=r"evaluation.datasets: none; .* or datasets with known"):
        load_study(alone | {"evaluation": {}}, [])
    with pytest.raises(InputError, match=r"evaluation.datasets: none; name those whose solutions"):
        load_study(CONFIG | {"evaluation": {"step_labels": ["Known"]}}, [])


@pytest.mark.parametrize(
    ("dataset", "complaint"),
    [
        ({"sample": {"questions": "Nowhere", "policy": "base"}}, "Nowhere is not one of"),
        ({"sample": {"questions": "Test_questions", "policy": "mega"}}, "mega is not one of"),
        (
            {"sample": {"questions": "Test_questions", "policy": "base", "exemplars": "X"}},
            "datasets.X.sample: X from X",
        ),
        ({"from": "Train", "label": {}}, "exactly one of `judge`, `monte_carlo`, `agree`, `trust`"),
        (
            {"from": "Train", "label": {"known": "miniature", "agree": ["Judged", "Continued"]}},
            "exactly one of `judge`",
        ),
        (
            {"from": "Train", "label": {"agree": ["Judged", "Train"]}},
            "Train is not Train with `label`",
        ),
        (
            {"from": "Train", "label": {"monte_carlo": {"policy": "base"}, "min_agreement": 0.5}},
            "continuations do not vote",
        ),
        (
            {"from": "Train", "label": {"agree": ["Judged", "Judged"]}},
            "datasets.X.label.agree: Judged twice",
        ),
        (
            {"from": "Train", "label": {"trust": {"model": "dPRM"}}},
            "dPRM is not a dPRM trained on Train",
        ),
        ({"from": "Judged", "label": {"trust": {"model": "gone"}}}, "gone is not one of"),
        ({"from": "Train", "label": {"judge": {"model": "judge", "votes": 2}}}, "temperature 0"),
        (
            {"from": "Train", "label": {"monte_carlo": {"policy": "base", "per_prefix": 4}}},
            "4 continuations cannot tell good steps from bad ones at significance 0.05; set `per_prefix` to 5",
        ),
        (
            {"from": "Train", "label": {"monte_carlo": {"policy": "base", "significance": 0}}},
            "at `significance` 0 no step would be good or bad",
        ),
        ({"from": "Law", "label": {"known": "miniature"}}, "does not answer the miniature's"),
        (
            {"from": "Train", "augment": {"model": "writer", "kind": "counterfactual", "seed": 1}},
            "known keys only",
        ),
        (
            {"from": "Train", "augment": {"model": "writer", "kind": "rewrite", "math": ["history"]}},
            "asks for no errors",
        ),
        (
            {"from": "Train", "augment": {"model": "writer", "kind": "counterfactual", "math": ["law"]}},
            "datasets.X.augment.math: law is not one of history, business, the categories of Train",
        ),
        ({"from": "X", "label": {"known": "miniature"}}, "datasets.X.from: X from X"),
        (
            {"from": "Augmented", "take": {"steps": 2}},
            "datasets.X.take.steps: of Augmented, only some steps are learned",
        ),
    ],
)  # fmt: skip
def test_unusable_datasets_are_refused(dataset: dict[str, Any], complaint: str) -> None:
    law = {"sample": {"questions": "Read_questions", "policy": "base"}}
    with pytest.raises(InputError) as caught:
        study(datasets={"Law": law, "X": dataset})
    assert complaint in str(caught.value)


def test_continuations_are_compared_with_guessing() -> None:
    """Only for labels that are used: others are not made."""
    found = study()
    figure = "<results>/figures/continuation_shares/Continued.svg"
    table = "<results>/evaluation/Continued/continuation_shares.parquet"
    assert figure in targets.figure_targets(found)
    assert table in targets.evaluation_targets(found)
    assert label_files.continued_solutions(found, "Continued") == [
        "<results>/data/Train/history.parquet",
        "<results>/data/Train/business.parquet",
    ]
    assert label_files.continued_labels(found, "Continued")[0] == (
        "<results>/labels/Continued/history.parquet"
    )
    assert label_files.continuation_tables(found, "Continued")[0] == (
        "<results>/continuations/Continued/history.parquet"
    )
    unused = study(models={"dPRM-agreed": CONFIG["models"]["dPRM"]})
    assert "Continued" not in targets.used_datasets(unused)
    assert figure not in targets.figure_targets(unused)
    assert table not in targets.evaluation_targets(unused)


def test_noise_keeps_what_is_learned_of_variants() -> None:
    """Only their new steps are, with noise as well: their labels tables have the same noise."""
    noise = {"share": 0.5, "steps": 0.1}
    model = {"kind": "dPRM", "backbone": "base", "dataset": "Twice"}
    found = study(
        datasets={
            "Fewer": {"from": "Augmented", "take": {"questions": 5}},
            "Noisy": {"from": "Fewer", "noise": noise},
            "Twice": {"from": "Noisy", "noise": noise},
            "Noisy_judged": {"from": "Judged", "noise": noise},
        },
        models={
            "noisy": model,
            "judged": model | {"dataset": "Noisy_judged"},
            "soft": model | {"dataset": "Noisy_judged", "training": {"targets": "values"}},
            "outcomes": model | {"kind": "dORM"},
        },
    )
    learned = {name: files.training_labels(found, name) for name in found.models}
    assert learned["noisy"][0] == "<results>/labels/Twice/history.parquet"
    assert learned["soft"][0] == "<results>/labels/Noisy_judged/history.parquet"
    assert learned["judged"] == learned["outcomes"] == []
    sources = {
        name: label_files.source_labels(found, name, "law")
        for name in ("Twice", "Noisy", "Noisy_judged")
    }
    assert sources == {
        "Twice": "<results>/labels/Noisy/law.parquet",
        "Noisy": "<results>/labels/Augmented/law.parquet",
        "Noisy_judged": "<results>/labels/Judged/law.parquet",
    }
    assert targets.noisy_datasets_with_labels(found) == "Noisy|Twice|Noisy_judged"
    with pytest.raises(TypeError, match="does not derive from a dataset with a table of labels"):
        label_files.source_labels(found, "Judged", "law")


def test_noise_needs_the_labels_of_a_dataset_that_is_read() -> None:
    """Of PRM800K's alternatives, too, only one step is learned."""
    found = study(
        datasets={
            "Read": {"reader": "prm800k", "source": ["prm800k"]},
            "Noisy": {"from": "Read", "noise": {"steps": 0.1}},
        },
        models={"noisy": {"kind": "dPRM", "backbone": "base", "dataset": "Noisy"}},
    )
    assert targets.datasets_read_with_labels(found, True) == "Read"
    assert "<results>/labels/Noisy/history.parquet" in files.training_labels(found, "noisy")


def test_trust_in_variants_is_refused() -> None:
    with pytest.raises(InputError, match=r"X\.label\.trust: of Augmented, only some steps"):
        study(
            datasets={"X": {"from": "Augmented", "label": {"trust": {"model": "other"}}}},
            models={"other": {"kind": "dPRM", "backbone": "base", "dataset": "Augmented"}},
        )


def test_training_on_the_questions_that_are_evaluated_is_refused() -> None:
    sampled = {"sample": {"questions": "Test_questions", "policy": "base"}}
    with pytest.raises(InputError, match="of the same split test"):
        study(
            datasets={"Other": sampled},
            models={"dPRM": {"kind": "dPRM", "backbone": "base", "dataset": "Other"}},
        )


def test_more_solutions_than_are_sampled_cannot_be_evaluated() -> None:
    with pytest.raises(InputError, match=r"32 is more than the 16 .*sample\.per_question"):
        study(evaluation={"n": [32]})


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("train", "differ only in case"), ("Train", r"questions\.Train: a dataset has this name")],
)
def test_questions_and_datasets_have_different_names(name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        study(questions={name: {"reader": "miniature", "split": "train", "questions": 2}})


def test_an_evaluation_reads_the_samples_of_the_pools() -> None:
    same = {
        "Noisy": {"from": "Test", "noise": {"outcomes": 0.1}},
        "Shuffled": {"from": "Noisy", "shuffle": "steps"},
        "Short": {"from": "Test", "take": {"steps": 2}},
    }
    found = study(datasets=same)
    samples = [f"<results>/samples/Test/{category}.parquet" for category in ("history", "business")]
    for name in ("Test", *same):
        tables = files.pooled_tables(found, name)
        assert tables["samples"] == samples
        assert tables["solutions"][0] == f"<results>/data/{name}/history.parquet"
    assert "samples" not in files.evaluated_tables(found, "Test")
    assert files.pooled_tables(found, "Lessons")["samples"] == []
    assert files.pooled_tables(found, "Augmented")["samples"] == []


@pytest.mark.parametrize("part", [{"questions": 5}, {"solutions": 4}])
def test_accuracies_of_a_part_of_sampled_pools_are_refused(part: dict[str, int]) -> None:
    changes: dict[str, Any] = {
        "datasets": {
            "Part": {"from": "Test", "take": part},
            "Noisy": {"from": "Part", "noise": {"outcomes": 0.1}},
            "Old": {"from": "Lessons", "take": part},
        },
        "evaluation": {"datasets": ["Noisy"]},
    }
    message = "Noisy takes some of the solutions of Test, and accuracies would leave out"
    with pytest.raises(InputError, match=message):
        study(**changes)
    assert not study(**{**changes, "evaluation": {}}).takes_from_pools("Old")


@pytest.mark.parametrize("key", ["sample", "monte_carlo"])
def test_worked_examples_are_learned(key: str) -> None:
    """What is evaluated must not be in the prompts of training data."""
    sample = {"questions": "Train_questions", "policy": "base", "exemplars": "Test"}
    shown = {"from": "Train", "label": {"monte_carlo": {"policy": "base", "exemplars": "Test"}}}
    changed = {"Train": {"sample": sample}} if key == "sample" else {"Continued": shown}
    with pytest.raises(InputError, match=rf"{key}\.exemplars: models are trained on Test, and"):
        study(datasets=changed)
    found = study(datasets=changed, evaluation={"also_trained_on": ["Test"]})
    assert {shown and shown[1] for shown in map(found.exemplars_of, found.datasets)} == {
        *(None, "Test", *(["Exemplars"] if key == "monte_carlo" else []))
    }


@pytest.mark.parametrize("key", ["sample", "monte_carlo"])
def test_shots_need_examples(key: str) -> None:
    sample = {"questions": "Train_questions", "policy": "base", "shots": 2}
    label = {"monte_carlo": {"policy": "base", "shots": 2}}
    changed = {"X": {"sample": sample} if key == "sample" else {"from": "Train", "label": label}}
    with pytest.raises(InputError, match="`shots` needs `exemplars`, a dataset that has them"):
        study(datasets=changed)


def test_a_judges_template_is_checked_before_any_job(tmp_path: Path) -> None:
    def complaint(path: Path, **changes: Any) -> str:
        judge = {"model": "judge", "template": str(path)} | changes
        with pytest.raises(InputError) as caught:
            study(datasets={"X": {"from": "Train", "label": {"judge": judge}}})
        return str(caught.value)

    file = tmp_path / "judge.txt"
    key = "datasets.X.label.judge.template: "
    assert key in complaint(file) and "no such file" in complaint(file)
    file.write_text("{question} {solution}")
    assert f"{key}{file}: expected" in complaint(file)
    (tmp_path / "{a}").mkdir()
    other = tmp_path / "{a}" / "judge.txt"
    other.write_text(file.read_text())
    found = complaint(other, reference=False)
    assert f"{key}{other} has braces" in found
    shown = {"model": "judge", "template": str(file), "reference": False}
    assert study(datasets={"X": {"from": "Train", "label": {"judge": shown}}})


def test_replies_are_counted_for_each_reason() -> None:
    """Of what the study samples and judges, also of labels that are compared only."""
    found = study(
        datasets={"Again": {"from": "Train", "label": {"judge": {"model": "judge"}}}},
        evaluation={"step_labels": ["Known"]},
    )
    inputs = report_files.inputs_of(found, "reply_counts")
    folders = {name: [table.split("/")[2] for table in tables] for name, tables in inputs.items()}
    assert folders == {
        "samples": ["Train", "Train", "Test", "Test"],
        "judgements": ["Judged", "Judged", "Again", "Again"],
    }
    words = report_files.report_words(("judgements",), None, inputs)
    table = "<results>/judgements/Judged/history.parquet"
    assert words[:2] == ["--judgements", f"Judged={table}"]
    assert "<results>/tables/reply_counts/labels.md" in report_files.report_targets(found)
