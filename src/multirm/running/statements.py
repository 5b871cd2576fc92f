"""A module's code as statements: what each one does, without its wording, and the names that it looks up."""

import ast
import hashlib
import pickle
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeGuard

from multirm.errors import InputError
from multirm.running.files import whole

_ENUMS = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}

Chain = tuple[str, ...]
"""A name and the attributes looked up in it: `tables.parquet.read` has three parts."""


@dataclass
class Statement:
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
    members: dict[str, "Statement"] | None = None
    is_entry: bool = False


class Module:
    """A module's statements, by the names that they define.

    Attributes:
        definitions: the statements that define a name; several if it is assigned more than once.
        effects: the other statements, which run on import.
        imports: the targets of imported names, as chains from a top-level package.
    """

    def __init__(self, package: str, name: str, file: Path, source: bytes) -> None:
        self.name = name
        self.definitions: dict[str, list[Statement]] = {}
        self.effects: list[Statement] = []
        self.imports: dict[str, Chain] = {}
        tree = ast.parse(source, str(file))
        taken = {node.name: _argument_types(node) for node in tree.body if _is_entry(node)}
        tree = _Meaning().visit(tree)
        is_package = file.name == "__init__.py"
        self._parent = (package, *name.split("."))[: None if is_package else -1]
        self._named = re.compile(rf"{package}(\.\w+)+(:\w+)?")
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
    def statements(self) -> list[Statement]:
        every = [*self.effects, *(each for of in self.definitions.values() for each in of)]
        return list({id(each): each for each in every}.values())

    def _statement(self, node: ast.stmt) -> Statement:
        members: dict[str, Statement] | None = None
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
            elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                # Modules that are imported through a string, `package.module:function`.
                text = inner.value
                if self._named.fullmatch(text):
                    imports[text] = tuple(re.split("[.:]", text))
                    names.uses.add((text,))
        return Statement(ast.dump(node), names.uses, names.types, imports, members, _is_entry(node))

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


def read_module(package: str, name: str, file: Path) -> Module:
    """The statements of a module, which are kept beside its bytecode until its source changes.

    Parsing takes seconds for a whole package, in every plan of a study and in every job. What is kept is trusted like
    the bytecode: who can write there can change the code itself.

    Args:
        package: the package's own name.
        name: the module's dotted name in it.
    """
    source = file.read_bytes()
    key = hashlib.sha256(b"\0".join([_THIS_CODE, package.encode(), name.encode(), source])).digest()
    kept = file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.statements"
    with suppress(OSError, EOFError, pickle.PickleError):
        found = kept.read_bytes()
        if found.startswith(key):
            module: Module = pickle.loads(found[len(key) :])
            return module
    module = Module(package, name, file, source)
    # A folder that is not ours to write, or a full disk: the next process parses it again.
    with suppress(OSError, InputError):
        if not sys.dont_write_bytecode:
            with whole(kept) as part:
                part.write_bytes(key + pickle.dumps(module))
    return module


_THIS_CODE = Path(__file__).read_bytes()


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


def _chain(node: ast.expr) -> Chain:
    """The chain of names in an expression; empty if it is something else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


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
    # The variables of a comprehension are its own.
    skipped = node.target if isinstance(node, ast.comprehension) else None
    for inner in ast.iter_child_nodes(node):
        if inner is not skipped:
            yield from _defined(inner)
