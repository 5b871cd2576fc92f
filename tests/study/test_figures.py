"""What is drawn of each dataset, and with which options."""

from pathlib import Path

from multirm.cli import build_app
from multirm.study.figures import FIGURES, figures_of
from multirm.study.files import drawn_tables
from multirm.study.load import load_study, read_yaml

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"

WITH_CEILING = ("accuracy_grid", "datasets_grid", "legend")


def test_the_options_are_those_of_the_commands() -> None:
    config = read_yaml(MINIATURE)
    for ceiling in (False, True):
        study = load_study(config | {"figures": {"ceiling": ceiling}}, [])
        for figure in FIGURES.values():
            words = [figure.command, "--output", "figure.svg"]
            words += [
                word
                for table in figure.every_table
                for word in (f"--{table.replace('_', '-')}", "table.parquet")
            ]
            words += " ".join(figure.words(study)).split()
            _, given, _ = build_app(figure.command).parse_args(words, exit_on_error=False)
            assert given.arguments.get("ceiling", False) is ("--ceiling" in words)
            assert ("--ceiling" in words) is (ceiling and figure.module in WITH_CEILING)


def test_figures_with_one_module_differ_in_their_words_or_tables() -> None:
    study = load_study(read_yaml(MINIATURE), [])
    drawn = [(figure.command, figure.protocol, *figure.words(study)) for figure in FIGURES.values()]
    assert len(set(drawn)) == len(FIGURES)


def test_accuracies_of_a_published_protocol_are_drawn_where_it_is_computed() -> None:
    config = read_yaml(MINIATURE)
    assert "openprm_best_of_n" not in figures_of(load_study(config, []))
    config["evaluation"]["protocols"] = ["openprm"]
    study = load_study(config, [])
    folder = "<results>/evaluation/{dataset}"
    assert drawn_tables(study, figures_of(study)["openprm_best_of_n"]) == {
        "accuracy": [f"{folder}/openprm/accuracy.parquet"],
        "reward_models": [f"{folder}/reward_models.parquet"],
    }
