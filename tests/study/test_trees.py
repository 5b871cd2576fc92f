"""Preference trees, pairs and pairwise reward models in a study: names, files, options, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.reward_models.formats import format_file
from multirm.study import checks, files, needs, noise, options, targets, tree_files, tree_options
from multirm.study.load import load_study
from multirm.study.study import Study
from multirm.tables.accuracy import Aggregation
from multirm.tables.reward_models import FormatName

SMALL = {"model": "owner/1B", "parameters": 1e9}


def settings(**changes: Any) -> dict[str, Any]:
    """A study of pairs by outcomes, and of pairs by the rewards of the model that starts from them."""
    study: dict[str, Any] = {
        "study": "openprm",
        "seed": 7,
        "categories": ["math", "law"],
        "datasets": {
            "Train": {"reader": "published", "source": ["train"]},
            "Few": {"from": "Train", "take": {"questions": 9}},
            "Test": {"reader": "published", "source": ["test"]},
        },
        "backbones": {"1B": SMALL},
        "trees": {
            "outcomes": {"dataset": "Train", "keep_apart": ["numbers", "options"]},
            "scores": {"dataset": "Few", "reward": {"model": "first"}, "segments": "lines"},
        },
        "preferences": {
            "right": {"trees": "outcomes", "n_outcome_pairs": 2, "min_leaves": 3},
            "better": {"trees": "scores", "gap": 1.0, "unit": "standard_deviation"},
        },
        "models": {
            "first": {"kind": "pairwise", "backbone": "1B", "preferences": "right"},
            "second": {
                "kind": "pairwise",
                "backbone": "1B",
                "from": "first",
                "preferences": ["right", "better"],
                "format": "classifier",
                "categories": ["law"],
                "training": {"method": "lora", "rank": 4, "use_margins": True, "centring": 0.01},
            },
        },
        "evaluation": {"datasets": ["Test"], "protocols": []},
    }
    for place, value in changes.items():
        *above, last = place.split("/")
        section = study
        for key in above:
            section = section[key]
        section[last] = value
    return study


def loaded(**changes: Any) -> Study:
    return load_study(settings(**changes), [])


def test_the_trees_and_pairs_of_models_are_made() -> None:
    study = loaded()
    made = targets.tree_targets(study)
    assert {file.removeprefix("<results>/") for file in made} == {
        *("trees/outcomes/math.parquet", "trees/outcomes/law.parquet"),
        *("trees/scores/math.parquet", "trees/scores/law.parquet"),
        *("rewards/first/Few/math.parquet", "rewards/first/Few/law.parquet"),
        *("preferences/right/math.parquet", "preferences/right/law.parquet"),
        # The second model is trained on one category.
        "preferences/better/law.parquet",
        # Counts are of pairs by outcomes.
        "tree_counts/right.parquet",
    }
    used = targets.used_datasets(study)
    assert {*used} == {"Train", "Few", "Test"}
    assert study.training_datasets_of("second") == ["Train", "Few"]
    assert tree_files.training_preferences(study, "second") == [
        "<results>/preferences/right/law.parquet",
        "<results>/preferences/better/law.parquet",
    ]


def test_a_pairwise_model_is_whole_whatever_is_trained() -> None:
    study = loaded()
    assert targets.models_of_kinds(study, "pairwise") == "first|second"
    assert targets.adapters(study) == "(?!)"
    assert study.is_whole("second") and not study.trains_all("second")
    assert (
        files.weights_of_model(study, "second") == "<results>/models/second/model/model.safetensors"
    )
    assert files.start_of_model(study, "second") == "results/models/first/model"
    start = [files.weights_of_model(study, "first"), files.config_of_model(study, "first")]
    assert files.start_files_of_model(study, "second") == start
    assert needs.training(study, "first").mem_mb > needs.training(study, "second").mem_mb


def test_options_say_what_is_merged_paired_and_trained() -> None:
    study = loaded()
    merging = tree_options.merging(study, "outcomes")
    assert merging[-3:] == ["--keep-apart", "numbers", "options"]
    assert tree_options.merging(study, "scores")[-2:] == ["--aggregation", "last"]
    pairing = tree_options.pairing(study, "right")
    assert pairing[pairing.index("--min-leaves") + 1] == "3"
    assert "--per-question" not in pairing and pairing[-2:] == ["--seed", "7"]
    full, lora = options.recipe(study, "first"), options.recipe(study, "second")
    assert "--rank" not in full and "--use-margins" not in full
    assert lora[lora.index("--rank") + 1] == "4" and lora[-1] == "--use-margins"
    assert full[full.index("--learning-rate") + 1] == "1e-06"
    assert options.format_of_model(study, "first") == ["--format", "pairwise"]
    # A chat is read after each step.
    assert options.format_of_model(study, "second") == ["--format", "classifier_steps"]
    assert tree_files.training_format(study, "second") == str(format_file(FormatName.CLASSIFIER))
    assert study.aggregations == {"first": [Aggregation.LAST], "second": [Aggregation.LAST]}
    assert noise.noise_baselines(study) == {"first": "first", "second": "second"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trees/outcomes/dataset": "Nothing"}, "trees.outcomes.dataset: Nothing is not one of"),
        ({"trees/scores/reward": {"model": "other"}}, "trees.scores.reward.model: other is not"),
        ({"preferences/right/trees": "oaks"}, "preferences.right.trees: oaks is not one of"),
        ({"models/first/preferences": "wrong"}, "models.first.preferences: wrong is not one of"),
        ({"trees/scores/reward": {"model": "second"}}, "second learns from these trees"),
        (
            {"trees/outcomes/reward": {"model": "second"}},
            "trees.outcomes.reward.model: second learns from these trees",
        ),
        ({"models/first/from": "second"}, "it starts from itself"),
        ({"trees/outcomes/dataset": "Test"}, "trees.outcomes.dataset: models are trained on Test"),
        (
            {"evaluation/protocols": ["openprm", "paper"]},
            "protocols: paper vote with probabilities, and first gives",
        ),
        ({"evaluation/aggregation": {"first": "prod"}}, "prod needs probabilities"),
        ({"models/first/training": {"rank": 8}}, "rank: belongs to an adapter"),
        (
            {"models/second/training": {"method": "lora", "parallelism": "fsdp"}},
            "an adapter is merged",
        ),
        ({"models/first/format": "multi_rm"}, "expected pairwise or classifier"),
        (
            {"models/second/scoring": {"engine": "vllm"}},
            "vLLM does not serve classifier_steps",
        ),
        ({"models/second/categories": ["history"]}, "history is not one of math, law"),
        ({"trees/OUTCOMES": {"dataset": "Train"}}, "trees: outcomes and OUTCOMES differ only"),
        (
            {"models/first/categories": ["math"], "trees/outcomes/threshold": 0},
            "trees.outcomes.threshold",
        ),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_study(settings(**changes), [])
    assert message in str(error.value)


def test_models_of_elsewhere_give_scores_after_each_step() -> None:
    ready = {"kind": "pairwise", "format": "classifier_steps", **SMALL}
    study = loaded(**{"models/ready": ready, "trees/scores/reward": {"model": "ready"}})
    assert checks.problems(study) == []
    assert options.format_of_model(study, "ready") == ["--format", "classifier_steps"]
    assert "<results>/rewards/ready/Few/law.parquet" in targets.tree_targets(study)
    assert targets.scored(study, "pairwise", in_shards=False) == "first|second|ready"
    for wrong, message in (
        ({"kind": "dPRM"}, "write pairwise"),
        ({"format": "multi_rm"}, "write pairwise or classifier_steps"),
        ({"format": "qwen_prm"}, "write dPRM"),
    ):
        with pytest.raises(InputError, match=message):
            loaded(**{"models/ready": ready | wrong})


def test_external_scores_are_read_as_such(tmp_path: Path) -> None:
    external = {"kind": "pairwise", "rewards": {"Test": [str(tmp_path)]}}
    study = loaded(**{"models/theirs": external})
    assert options.reward_type(study, "theirs") == ["--unit", "step", "--scale", "score"]
    with pytest.raises(InputError, match="theirs has no rewards for Few"):
        loaded(**{"models/theirs": external, "trees/scores/reward": {"model": "theirs"}})
