"""Without the extra `pipeline`, own rewards are imported, evaluated and drawn; other commands say what they lack."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

# What packages of the light installation depend on, too.
LIGHT_AS_WELL = {"jinja2", "tqdm"}
PIPELINE = {canonicalize_name(Requirement(text).name) for text in EXTRAS["pipeline"]}
ABSENT = sorted(
    module
    for module, names in packages_distributions().items()
    if {canonicalize_name(name) for name in names} & (PIPELINE - LIGHT_AS_WELL)
)

# A module that is None cannot be imported.
ABSENCE = "import sys; sys.modules.update(dict.fromkeys({absent})); "
RUN = ABSENCE + "from multirm.cli import main; main()"
IN_PYTHON = """
import multirm
pools = multirm.Pools.from_file("pools.csv", rewards={"m": "score"})
evaluation = multirm.evaluate(pools)
evaluation.write("mine")
evaluation.chart("best_of_n").save("chart.svg")
print(multirm.query("SELECT count(*) AS n FROM accuracy", "mine")["n"][0] == len(evaluation.accuracy))
try:
    multirm.score("model", pools)
except multirm.InputError as error:
    print(error)
"""

POOLS = "qid,response,parsed_answer,gold,score\n" + "".join(
    f"q{question},a,{(question + solution) % 2},1,{solution}\n"
    for question in range(4)
    for solution in range(4)
)


def light(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, where the packages of the pipeline seem not to be installed."""
    command = [sys.executable, "-c", RUN.format(absent=ABSENT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_pipeline_is_absent() -> None:
    assert {"torch", "transformers", "peft", "accelerate", "snakemake"} <= set(ABSENT)


def test_rewards_are_evaluated_queried_and_drawn(tmp_path: Path) -> None:
    (tmp_path / "pools.csv").write_text(POOLS)
    accuracy = "mine/evaluation/accuracy.parquet"
    for words in (
        "import pools.csv --rewards m=score --output mine",
        "evaluate --solutions mine/data/pools --rewards m=mine/rewards/m/pools --aggregation m=last"
        " --output mine/evaluation",
        f"summary --accuracy {accuracy}",
        f"draw-accuracy-grid --accuracy {accuracy} --selection best_of_n --output grid.svg",
        f"trace {accuracy}",
        "report mine/evaluation --tables mine/data --output page.html",
    ):
        run = light(tmp_path, *words.split())
        assert run.returncode == 0, run.stderr
    run = light(tmp_path, "query", "SELECT count(*) AS n FROM accuracy", "--results", "mine")
    assert run.stdout.split()[0] == "n", run.stderr
    assert (tmp_path / "grid.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    "words",
    [
        "train-discriminative --help",
        "score-generative --solutions a",
        "build-trees --help",
    ],
)
def test_what_is_missing_is_told_in_one_line(tmp_path: Path, words: str) -> None:
    run = light(tmp_path, *words.split())
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    command = words.split()[0]
    assert line.startswith(f"multirm: {command} needs the package ")
    assert line.endswith("pip install '.[pipeline]' in the folder of multirm")


def test_help_imports_no_package_of_models(tmp_path: Path) -> None:
    for words in (["--help"], ["import", "--help"], ["evaluate", "--help"], ["show", "--help"]):
        run = light(tmp_path, *words)
        assert run.returncode == 0, run.stderr


def test_python_evaluates_and_says_what_scoring_needs(tmp_path: Path) -> None:
    (tmp_path / "pools.csv").write_text(POOLS)
    command = [sys.executable, "-c", ABSENCE.format(absent=ABSENT) + IN_PYTHON]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    same, message = run.stdout.splitlines()
    assert same == "True" and message.endswith("pip install '.[pipeline]' in the folder of multirm")
    assert message.startswith("score: expected the package ")
