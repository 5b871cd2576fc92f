"""Searches in a study: names, files, options, and what is refused."""

from dataclasses import fields
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.reward_models.formats import format_file
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.study import needs, search_files, search_options, targets
from multirm.study.load import load_study
from multirm.study.searches import SearchRun
from multirm.study.study import Study
from multirm.tables.reward_models import FormatName
from tests.study.test_trees import SMALL, settings

RUN = {"policy": "policy", "model": "first", "questions": "Bare", "method": "best_of_n"}


def searching(**changes: dict[str, Any]) -> Study:
    study = settings()
    study["questions"] = {"Bare": {"reader": "mmlu_pro", "source": ["bare.json"]}}
    study["datasets"]["Shown"] = {"reader": "published", "source": ["shown"]}
    study["backbones"]["policy"] = {**SMALL, "model": "owner/policy"}
    study["models"]["dPRM"] = {"kind": "dPRM", "backbone": "1B", "dataset": "Train"}
    study["searches"] = {
        "all": RUN,
        "tree": {**RUN, "method": "mcts", "children": 2, "exemplars": "Shown", "engine": "vllm"},
        "mine": {**RUN, "method": "beam_search", "model": "dPRM", "beams": 2, "candidates": 8},
    }
    for name, change in changes.items():
        study["searches"][name] = study["searches"].get(name, RUN) | change
    return load_study(study, [])


def test_searches_and_what_compares_them_are_made() -> None:
    study = searching()
    made = [file.removeprefix("<results>/") for file in targets.search_targets(study)]
    assert made[:3] == [
        *("questions/Bare/math.parquet", "searches/all/math.parquet"),
        "searches/all/math.nodes.parquet",
    ]
    assert made[-6:-4] == [
        f"evaluation/Bare/{table}.parquet" for table in ("search_accuracy", "search_gains")
    ]
    assert made[-4] == "figures/search_accuracy/Bare.svg"
    assert "policy" in targets.used_backbones(study) and "Shown" in targets.used_datasets(study)
    assert "policy" in targets.backbones_run_here(study)
    compared = search_files.compared_searches(study, "Bare")
    assert len(compared["searches"]) == 3 * 2
    # Nodes of best-of-N alone, which is the baseline.
    assert compared["search_nodes"] == [
        f"<results>/searches/all/{category}.nodes.parquet" for category in ("math", "law")
    ]


def test_defaults_are_those_of_the_command() -> None:
    given = {name: RUN[name] for name in ("policy", "model", "questions", "method")}
    run = SearchRun(**given)
    commands = [SearchOptions(method=run.method), PolicyOptions(engine=run.engine)]
    for options in commands:
        for field in fields(options):
            # The study knows the reward model's kind, and has one seed.
            if field.name not in {"final", "seed", "server", "batch_folder", "service_model"}:
                assert getattr(run, field.name) == getattr(options, field.name), field.name


def test_options_say_how_to_search_and_to_read() -> None:
    study = searching()
    tree, mine = (search_options.searching(study, name) for name in ("tree", "mine"))
    assert tree[tree.index("--children") + 1] == "2" and "--exploration" not in tree
    assert tree[tree.index("--shots") + 1] == "5" and mine[mine.index("--shots") + 1] == "0"
    # The aggregation of the reward model's kind, and its format.
    assert tree[tree.index("--final") + 1] == "last" and mine[mine.index("--final") + 1] == "min"
    assert tree[-2:] == ["--format", "pairwise"] and "--format" not in mine
    assert "--policy-tokens" not in mine and mine[mine.index("--beams") + 1] == "2"
    assert needs.search_stage(study, "tree") == "vllm"
    assert search_files.reward_model_files(study, "all") == [str(format_file(FormatName.PAIRWISE))]
    assert needs.searching(study, "all").gpu == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"all": {"questions": "Nothing"}}, "searches.all.questions: Nothing is not one of Bare"),
        ({"all": {"policy": "Nobody"}}, "searches.all.policy: Nobody is not one of"),
        ({"all": {"model": "other"}}, "searches.all.model: other is not one of"),
        ({"all": {"beams": 2}}, "beams: belongs to beam_search and diverse_beam_search"),
        ({"tree": {"method": "rebase"}}, "children: belongs to mcts"),
        ({"mine": {"beams": 9}}, "beams: 9 are more than the 8 candidates"),
        ({"all": {"final": "prod"}}, "final: prod needs probabilities, and first gives scores"),
        ({"all": {"shots": 2}}, "`shots` needs `exemplars`"),
        (
            {"all": {"engine": "openai", "server": "http://127.0.0.1:8000/v1"}},
            "does not go on from the tokens of a step",
        ),
        ({"ALL": {}}, "searches: all and ALL differ only in case"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        searching(**changes)
    assert message in str(error.value)


def test_questions_that_were_trained_on_are_refused() -> None:
    study = settings()
    study["datasets"]["Train"] = {
        "reader": "miniature",
        "policy": "junior",
        "split": "test",
        "questions": 9,
        "solutions": 4,
        "categories": ["history"],
    }
    study["categories"] = ["history"]
    del study["models"]["second"]
    del study["datasets"]["Test"], study["trees"]["scores"], study["preferences"]["better"]
    study["questions"] = {"Bare": {"reader": "miniature", "split": "test", "questions": 9}}
    study["searches"] = {"all": RUN | {"policy": "1B"}}
    study["evaluation"]["datasets"] = []
    with pytest.raises(InputError, match=r"searches\.all answers Bare, of the same split test"):
        load_study(study, [])
    study["questions"]["Bare"]["split"] = "train"
    assert targets.searched(load_study(study, [])) == ["Bare"]
