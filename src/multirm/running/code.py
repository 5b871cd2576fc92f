"""Find the code of this package that a job runs, and digest what it means.

A job's code is the entry functions of its module (the whole module if it has none) and every definition in
the package that is reachable from them by name. Comments, docstrings, annotations, formatting and
unreachable definitions do not count. So a new table, figure or enum member makes stale only what uses it.

Code that only starts a job does not count either: `cli` passes arguments to an entry function, and `study` works out
these arguments, which Snakemake compares itself. Nor do argument checks, the messages of `InputError`, the
version number, and this module: digests change by themselves if they are computed in another way.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from multirm.running.files import digest
from multirm.running.statements import Chain, Module, Statement, read_module

_PACKAGE = "multirm"

# Data files that a module reads. Prompt templates are not among them: they are inputs of the rules that use them.
_DATA_FOLDERS = {
    "data.miniature.facts": "data/miniature/facts",
    "report.page.assemble": "report/page/static",
}

_WITHOUT_EFFECT = (
    "running.arguments",
    "running.code",
    "running.numbers",
    "running.statements",
    "version",
)

MARK = "code of "
"""Prefix of each line of `code_lines`."""


def code_lines(module: str) -> list[str]:
    """The code that `module` runs: one line per reached module, with the start of its digest.

    As parameters of a rule, these lines make its outputs stale if and only if the meaning of the code that makes
    them has changed, and a dry run prints the lines that changed.

    Args:
        module: the full name of a module of this package.

    Raises:
        ValueError: the package has no such module.
    """
    return [f"{MARK}{name}: {of[:12]}" for name, of in code_of(module).items()]


@cache
def code_digest(module: str) -> str:
    """SHA-256 of all the code that `module` runs, as 64 hexadecimal digits."""
    listing = [f"{name} {of}" for name, of in code_of(module).items()]
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()


@cache
def code_of(module: str) -> dict[str, str]:
    """Digests of the code that `module` runs, by module and data file, sorted.

    Raises:
        ValueError: the package has no such module.
    """
    return _this_package().code_of(module)


@cache
def _this_package() -> "Package":
    # One for all modules: parsing the package again for each of a study's rules would take most of a plan's time.
    return Package(Path(str(resources.files(_PACKAGE))))


class Package:
    """The modules of a package, parsed on demand.

    Args:
        root: the package's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module | None] = {}

    def find(self, name: str) -> Module | None:
        """The module of a dotted name, given without the package's own; None if there is none."""
        if name not in self._modules:
            path = self.root.joinpath(*name.split("."))
            file = path.with_suffix(".py")
            file = file if file.is_file() else path / "__init__.py"
            is_there = name and file.is_file()
            self._modules[name] = read_module(self.root.name, name, file) if is_there else None
        return self._modules[name]

    def code_of(self, module: str) -> dict[str, str]:
        """Digests of the code that a module runs, by module and data file, sorted.

        Raises:
            ValueError: the package has no such module.
        """
        code = dict(self._reached_from(module).digests())
        for of, folder in _DATA_FOLDERS.items():
            if of in code:
                for file in (self.root / folder).iterdir():
                    if file.is_file():
                        code[f"{of}/{file.name}"] = digest(file)
        return dict(sorted(code.items()))

    def definitions_of(self, module: str) -> dict[str, set[str]]:
        """The names of the definitions that a module runs, by the module that defines them.

        Raises:
            ValueError: the package has no such module.
        """
        return self._reached_from(module).definitions()

    def _reached_from(self, module: str) -> "_Reached":
        name = module.removeprefix(f"{self.root.name}.")
        if self.find(name) is None:
            raise ValueError(f"{module} is not a module of {self.root.name}")
        reached = _Reached(self)
        reached.entries(name)
        return reached


@dataclass
class _Reached:
    """The statements of a package's modules that have been reached so far."""

    package: Package
    _parts: dict[str, dict[int, str]] = field(default_factory=dict)
    _imported: set[str] = field(default_factory=set)

    def module(self, name: str) -> None:
        """Reach all of a module."""
        module = self._import(name)
        if module:
            for statement in module.statements:
                self._statement(module, statement, whole=True)

    def entries(self, name: str) -> None:
        """Reach everything that a module's entry functions lead to; the whole module if it has none."""
        module = self._import(name)
        entries = [each for each in module.statements if each.is_entry] if module else []
        if module and entries:
            for statement in entries:
                self._statement(module, statement, whole=True)
        else:
            self.module(name)

    def digests(self) -> Iterator[tuple[str, str]]:
        for name, parts in self._parts.items():
            text = "\n".join(sorted(parts.values()))
            yield name, hashlib.sha256(text.encode()).hexdigest()

    def definitions(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, parts in self._parts.items():
            if module := self.package.find(name):
                every = module.definitions.items()
                found[name] = {key for key, of in every if any(id(each) in parts for each in of)}
        return found

    def _import(self, name: str) -> Module | None:
        """Import a module: reach its effects, and those of every module that it imports."""
        if name in _WITHOUT_EFFECT:
            return None
        module = self.package.find(name)
        if module and name not in self._imported:
            self._imported.add(name)
            above = name.rpartition(".")[0]
            if above:
                self._import(above)
            for chain in module.imports.values():
                target, rest = self._split(chain)
                if target and rest == ("*",):
                    self.module(target.name)
            for statement in module.effects:
                self._statement(module, statement, whole=True)
        return module

    def _split(self, chain: Chain) -> tuple[Module | None, Chain]:
        """The module that a chain from a top-level package leads to, and the rest of the chain."""
        if chain[0] != self.package.root.name:
            return None, chain
        for end in range(len(chain), 1, -1):
            name = ".".join(chain[1:end])
            if name in _WITHOUT_EFFECT:
                return None, chain
            if self.package.find(name):
                return self._import(name), chain[end:]
        return None, chain

    def _statement(self, module: Module, statement: Statement, whole: bool) -> None:
        parts = self._parts.setdefault(module.name, {})
        is_new = id(statement) not in parts
        if is_new:
            # The statement's own text does not say what imported names refer to.
            meant = sorted(
                f"{chain[0]} is {'.'.join(target)}"
                for chain in statement.uses | statement.types
                if (target := (module.imports | statement.imports).get(chain[0]))
            )
            parts[id(statement)] = "\n".join([statement.text, *dict.fromkeys(meant)])
            for name in statement.imports.values():
                self._split(name)
            for chain in statement.uses:
                self._use(module, statement, chain, whole=True)
            for chain in statement.types:
                self._use(module, statement, chain, whole=False)
        if whole:
            for member in (statement.members or {}).values():
                self._statement(module, member, whole=False)

    def _use(self, module: Module, statement: Statement, chain: Chain, whole: bool) -> None:
        imported = statement.imports.get(chain[0]) or module.imports.get(chain[0])
        if imported:
            target, rest = self._split((*imported, *chain[1:]))
            if target is None:
                return
            if rest and rest[0] in target.imports:
                self._use(target, _NO_STATEMENT, rest, whole)
            elif rest and rest[0] in target.definitions:
                self._define(target, rest, whole)
            else:
                # A module that is passed around as an object or run as a file: anything in it may be used.
                self.module(target.name)
        else:
            self._define(module, chain, whole)

    def _define(self, module: Module, chain: Chain, whole: bool) -> None:
        for statement in module.definitions.get(chain[0], ()):
            if statement.members is None:
                self._statement(module, statement, whole=True)
            elif len(chain) > 1 and ("cls",) not in statement.uses:
                self._statement(module, statement, whole=False)
                if chain[1] in statement.members:
                    self._statement(module, statement.members[chain[1]], whole=False)
            else:
                self._statement(module, statement, whole or ("cls",) in statement.uses)


_NO_STATEMENT = Statement("", set(), set(), {})
