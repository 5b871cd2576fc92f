"""Write the pins: constraints.txt for make, and an environment file per kind of stage for conda.

Run by `make pins` with the interpreter of .venv, whose installed versions it writes down.
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
    "numpy",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "vl-convert-python",
]
TRAIN = [*CORE, "accelerate", "peft", "safetensors", "tokenizers", "torch", "transformers"]
ENVIRONMENTS = {
    "core": (CORE, "data, evaluation, figures"),
    "train": (TRAIN, "critiques, training, scoring"),
}
NOT_PINNED = {"multirm", "pip"}


def pin(name: str) -> str:
    """`name==version`, without the local part that marks a build (`+cpu`)."""
    return f"{canonicalize_name(name)}=={distribution(name).version.partition('+')[0]}"


def closure(names: list[str]) -> list[str]:
    """The pins of the named packages and of everything that they need here."""
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


def environment(packages: list[str], stages: str) -> str:
    """A conda environment file with the pins of `packages`."""
    pins = "".join(f"      - {line}\n" for line in closure(packages))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"# {stages}; written by `make pins`\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n  - python={python}\n  - pip\n  - pip:\n{pins}"
    )


def main() -> None:
    installed = {canonicalize_name(d.metadata["Name"]) for d in distributions()}
    pins = sorted(pin(name) for name in installed - NOT_PINNED)
    (HERE / "constraints.txt").write_text("\n".join(pins) + "\n")
    for name, (packages, stages) in ENVIRONMENTS.items():
        (HERE / f"{name}.yaml").write_text(environment(packages, stages))


if __name__ == "__main__":
    main()
