"""Which of the package's files a module's results depend on: itself and what it imports, however far.

What only starts a stage is not among them. `cli.py` hands a command's words to the stage's function,
and `study` works out which words those are: Snakemake compares the words.
Nor is what only refuses some of them.
"""

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

import grimp

from multirm.running.files import digest

_PACKAGE = "multirm"

# Files that are read, not imported, by the module they stand beside. Prompt templates are not here: a
# rule that fills one in has it among its own inputs, one of its kind alone.
_DATA_FOLDERS = {
    "multirm.data.miniature.facts": "data/miniature/facts",
}

_REFUSING = ("multirm.running.arguments", "multirm.running.numbers")


def module_files(module: str) -> list[Path]:
    """The source and data files of the package that `module` depends on, sorted.

    A rule that lists them among its inputs runs again when, and only when, code that it uses changed.

    Raises:
        ValueError: the package has no such module.
    """
    graph = _import_graph()
    if module not in graph.modules:
        raise ValueError(f"{module} is no module of {_PACKAGE}")
    root = _root()
    files: set[Path] = set()
    for name in {module, *graph.find_upstream_modules(module)}:
        path = root.joinpath(*name.split(".")[1:])
        file = path.with_suffix(".py")
        files.add(file if file.is_file() else path / "__init__.py")
        if name in _DATA_FOLDERS:
            files.update(file for file in (root / _DATA_FOLDERS[name]).iterdir() if file.is_file())
    return sorted(files)


@cache
def code_digest(module: str) -> str:
    """SHA-256 of the names and bytes of a module's files, those of `module_files`, as 64 hex digits."""
    root = _root()
    listing = [
        f"{file.relative_to(root).as_posix()} {digest(file)}" for file in module_files(module)
    ]
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()


def _root() -> Path:
    return Path(str(resources.files(_PACKAGE)))


@cache
def _import_graph() -> grimp.ImportGraph:
    graph = grimp.build_graph(_PACKAGE, cache_dir=None)
    for name in _REFUSING:
        graph.remove_module(name)
    return graph
