"""Find the code of this package that a job runs, and digest what it means.

A job's code is the entry functions of its module (the whole module if it has none) and every definition in
the package that is reachable from them by name. Comments, docstrings, annotations, formatting and
unreachable definitions do not count. So a new table, figure or enum member makes stale only what uses it.

Code that only starts a job does not count either: `cli` passes arguments to an entry function, and `study` works out
these arguments, which Snakemake compares itself. Nor do argument checks, the messages of `InputError`, and the
version number.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TypeGuard

from multirm.running.files import digest

_PACKAGE = "multirm"

# Data files that a module reads. Prompt templates are not among them: they are inputs of the rules that use them.
_DATA_FOLDERS = {"data.miniature.facts": "data/miniature/facts"}

_WITHOUT_EFFECT = ("running.arguments", "running.numbers", "version")

_ENUMS = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}

MARK = "code of "
"""Prefix of each line of `code_lines`."""

Chain = tuple[str, ...]
"""A name and the attributes looked up in it: `tables.parquet.read` has three parts."""


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
    return Package(Path(str(resources.files(_PACKAGE)))).code_of(module)


@dataclass
class _Statement:
    """A statement of a module, reduced to what changes behaviour, and the names in it.

    Attributes:
        text: the text that is hashed.
        uses: chains of names that it looks up.
        types: chains that are only called or used as types.
        imports: the targets of names that are imported inside it.
        members: of an enum, a statement for each member; they are not in `text`.
        is_entry: whether it is the entry function of a command.
    """

    text: str
    uses: set[Chain]
    types: set[Chain]
    imports: dict[str, Chain]
    members: dict[str, "_Statement"] | None = None
    is_entry: bool = False


class Package:
    """The modules of a package, parsed on demand.

    Args:
        root: the package's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, _Module] = {}

    def find(self, name: str) -> "_Module | None":
        """The module of a dotted name, given without the package's own; None if there is none."""
        if name not in self._modules:
            path = self.root.joinpath(*name.split("."))
            file = path.with_suffix(".py")
            file = file if file.is_file() else path / "__init__.py"
            if not name or not file.is_file():
                return None
            self._modules[name] = _Module(self.root.name, name, file)
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


class _Module:
    """A module's statements, by the names that they define.

    Attributes:
        definitions: the statements that define a name; several if it is assigned more than once.
        effects: the other statements, which run on import.
        imports: the targets of imported names, as chains from a top-level package.
    """

    def __init__(self, package: str, name: str, file: Path) -> None:
        self.name = name
        self.definitions: dict[str, list[_Statement]] = {}
        self.effects: list[_Statement] = []
        self.imports: dict[str, Chain] = {}
        tree = ast.parse(file.read_bytes(), str(file))
        taken = {node.name: _argument_types(node) for node in tree.body if _is_entry(node)}
        tree = _Meaning().visit(tree)
        is_package = file.name == "__init__.py"
        self._parent = (package, *name.split("."))[: None if is_package else -1]
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports |= self._imported(node)
                continue
            statement = self._statement(node)
            statement.types |= taken.get(getattr(node, "name", ""), set())
            defined = list(_defined(node))
            if not _only_defines(node):
                self.effects.append(statement)
                self.imports |= statement.imports
            for each in defined:
                self.definitions.setdefault(each, []).append(statement)

    @cached_property
    def statements(self) -> list[_Statement]:
        every = [*self.effects, *(each for of in self.definitions.values() for each in of)]
        return list({id(each): each for each in every}.values())

    def _statement(self, node: ast.stmt) -> _Statement:
        members: dict[str, _Statement] | None = None
        if isinstance(node, ast.ClassDef) and _is_enum(node):
            own = [each for each in node.body if isinstance(each, ast.Assign)]
            members = {name: self._statement(each) for each in own for name in _defined(each)}
            rest = [each for each in node.body if each not in own] or [ast.Pass()]
            node = ast.ClassDef(**{**dict(ast.iter_fields(node)), "body": rest})
        names = _Names()
        names.visit(node)
        imports: dict[str, Chain] = {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                imports |= self._imported(inner)
        for text in _texts(node):
            # Modules that are imported through a string, `package.module:function`.
            if re.fullmatch(rf"{self._parent[0]}(\.\w+)+(:\w+)?", text):
                imports[text] = tuple(re.split("[.:]", text))
                names.uses.add((text,))
        return _Statement(
            ast.dump(node), names.uses, names.types, imports, members, _is_entry(node)
        )

    def _imported(self, node: ast.Import | ast.ImportFrom) -> dict[str, Chain]:
        if isinstance(node, ast.Import):
            return {
                alias.asname or alias.name.split(".")[0]: tuple(alias.name.split("."))[
                    : None if alias.asname else 1
                ]
                for alias in node.names
            } | {f"import {alias.name}": tuple(alias.name.split(".")) for alias in node.names}
        start = self._parent[: len(self._parent) + 1 - node.level] if node.level else ()
        module = (*start, *(node.module.split(".") if node.module else ()))
        return {alias.asname or alias.name: (*module, alias.name) for alias in node.names}


class _Meaning(ast.NodeTransformer):
    """Removes what does not change behaviour: docstrings, annotations (except fields'), messages of `InputError`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without_annotations(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_annotations(node)

    def _without_annotations(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for each in ast.walk(node.args):
            if isinstance(each, ast.arg):
                each.annotation = None
        return self._filled(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # Annotations of a class's fields stay: pydantic and dataclasses read them.
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        node.body = [each if each in fields else self.visit(each) for each in node.body]
        node.body = [each for each in node.body if each is not None] or [ast.Pass()]
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self._filled(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        # A job that raises writes no output, whatever its message says.
        raised = node.exc
        if isinstance(raised, ast.Call) and _chain(raised.func) == ("InputError",):
            raised.args, raised.keywords = [], []
        return self.generic_visit(node)

    def _filled(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if not node.body:  # type: ignore[attr-defined]
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.For | ast.While | ast.With | ast.Try | ast.ExceptHandler):
            node.body = node.body or [ast.Pass()]
        return node


class _Names(ast.NodeVisitor):
    """The chains of names in a tree: those that are used, and those that are only called or used as types."""

    def __init__(self) -> None:
        self.uses: set[Chain] = set()
        self.types: set[Chain] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.add((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _chain(node)
        if chain:
            self.uses.add(chain)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        chain = _chain(node.func)
        if chain:
            self.types.add(chain)
        else:
            self.visit(node.func)
        for each in (*node.args, *node.keywords):
            self.visit(each)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        said = _Names()
        annotation = node.annotation
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        said.visit(annotation)
        self.types |= said.uses | said.types
        if node.value:
            self.visit(node.value)


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

    def _import(self, name: str) -> "_Module | None":
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

    def _split(self, chain: Chain) -> tuple["_Module | None", Chain]:
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

    def _statement(self, module: _Module, statement: _Statement, whole: bool) -> None:
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

    def _use(self, module: _Module, statement: _Statement, chain: Chain, whole: bool) -> None:
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

    def _define(self, module: _Module, chain: Chain, whole: bool) -> None:
        for statement in module.definitions.get(chain[0], ()):
            if statement.members is None:
                self._statement(module, statement, whole=True)
            elif len(chain) > 1 and ("cls",) not in statement.uses:
                self._statement(module, statement, whole=False)
                if chain[1] in statement.members:
                    self._statement(module, statement.members[chain[1]], whole=False)
            else:
                self._statement(module, statement, whole or ("cls",) in statement.uses)


_NO_STATEMENT = _Statement("", set(), set(), {})


def _chain(node: ast.expr) -> Chain:
    """The chain of names in an expression; empty if it is something else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _is_entry(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    """Whether a statement is the entry function of a command."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else ()
    return any(_chain(each)[-1:] == ("entry",) for each in decorators)


def _argument_types(node: ast.FunctionDef) -> set[Chain]:
    """The types of an entry function's arguments. They count as code: the command line is parsed by them."""
    names = _Names()
    for each in ast.walk(node.args):
        if isinstance(each, ast.arg) and each.annotation:
            names.visit(each.annotation)
    return names.uses | names.types


def _is_enum(node: ast.ClassDef) -> bool:
    bases = [_chain(base) for base in node.bases]
    return any(base and base[-1] in _ENUMS for base in bases)


def _only_defines(node: ast.stmt) -> bool:
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    if isinstance(node, ast.Assign):
        return all(isinstance(each, ast.Name | ast.Tuple | ast.List) for each in node.targets)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name)
    return isinstance(node, definitions)


def _defined(node: ast.AST) -> Iterable[str]:
    """The module- or class-level names that a statement binds, ignoring function bodies."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    for inner in ast.iter_child_nodes(node):
        yield from _defined(inner)
