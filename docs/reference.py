"""Write the reference pages from what they describe: docstrings, a study's settings, the column dictionary.

`make reference` runs it; a test checks that the pages in docs/reference are in step.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docstring_parser import Docstring, parse

import multirm
from multirm.cli import COMMANDS, build_app
from multirm.database.derived import VIEWS
from multirm.database.dictionary import about
from multirm.database.opening import open_database
from multirm.running.provenance import origin_of
from multirm.study.study import Study
from multirm.tables import parquet
from multirm.tables.registry import SCHEMAS

FOLDER = Path(__file__).parent / "reference"

WRITTEN = "<!-- Written by `make reference`; edit what it describes instead. -->"

_PLURALS = {"a whole number": "whole numbers", "a number": "numbers", "text": "texts"}

Node = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page in docs/reference, by its name."""
    return {
        "commands.md": commands_page(),
        "python.md": python_page(),
        "study.md": study_page(),
        "tables.md": tables_page(),
    }


def commands_page() -> str:
    """What `--help` says of every command, stage by stage."""
    parts = [
        f"# Commands\n\n{WRITTEN}\n",
        "`multirm COMMAND --help` shows the same in a terminal.\n",
    ]
    for stage, commands in COMMANDS.items():
        parts.append(f"## {stage}\n")
        for name in commands:
            text = build_app(name)[name].generate_docs(heading_level=3, usage_name="multirm")
            # The heading would be named like the function.
            text = re.sub(r"\A### .*", f"### {name}", text)
            parts.append(f"{text.strip()}\n")
    return "\n".join(parts)


def tables_page() -> str:
    """Every column of every table and view: its type, whether it may be null, and what it means."""
    with TemporaryDirectory() as folder:
        tables = {name: [Path(folder, f"{name}.parquet")] for name in SCHEMAS}
        origin = origin_of("multirm.tables.parquet", {}, [])
        for name, (path,) in tables.items():
            parquet.write(path, SCHEMAS[name], [], origin)
        with open_database(tables) as database:
            rows = database.sql("FROM columns").fetchall()
    columns: dict[str, list[str]] = {}
    for view, column, type_, nullable, meaning in rows:
        line = f"| `{column}` | {type_} | {'yes' if nullable else ''} | {meaning} |"
        columns.setdefault(view, []).append(line)
    parts = [
        f"# Tables and views\n\n{WRITTEN}\n",
        "`multirm query` sees each kind of table as a view over all files of that kind, and more views that answer\n"
        "natural questions. `FROM columns` shows this dictionary for the tables that there are:\n",
        "    multirm query \"FROM columns WHERE view = 'scores'\"\n",
    ]
    for heading, names in (("Views for questions", VIEWS), ("Tables", SCHEMAS)):
        parts.append(f"## {heading}\n")
        for name in names:
            parts.append(f"### {name}\n\nA row is {about(name)}.\n")
            head = ["| column | type | null | meaning |", "|---|---|---|---|"]
            parts.append("\n".join([*head, *columns[name]]) + "\n")
    return "\n".join(parts)


# In the order in which one needs them. What only the package itself calls is left out.
_FUNCTIONS = ("evaluate", "score", "results", "query", "load_study")
_CLASSES: Mapping[str, tuple[str, ...]] = {
    "Pools": ("from_frame", "from_file", "read", "models", "solutions", "rewards", "write"),
    "Evaluation": ("summary", "accuracy", "comparisons", "headline", "costs", "ledger")
    + ("tables", "table", "charts", "chart", "report", "write", "dataset"),
    "Results": ("datasets", "models", "evaluations", "evaluation", "pools", "query"),
}


def python_page() -> str:
    """The docstring of everything that `import multirm` has."""
    parts = [
        f"# Python\n\n{WRITTEN}\n",
        "`import multirm` has these names; [Python](../python.md) shows how they go together. Data frames are\n"
        "those of pandas, charts those of Altair. Errors are `multirm.InputError`.\n",
    ]
    parts += [_member(f"multirm.{name}", getattr(multirm, name), 2) for name in _FUNCTIONS]
    for name, members in _CLASSES.items():
        kind = getattr(multirm, name)
        parts.append(f"## multirm.{name}\n\n{_prose(parse(kind.__doc__))}\n")
        parts += [
            _member(f"{name}.{each}", inspect.getattr_static(kind, each), 3) for each in members
        ]
    return "\n".join(parts)


def _member(name: str, found: Any, level: int) -> str:
    """A function, a method or a property, with its arguments and what it raises."""
    if isinstance(found, property | cached_property):
        function: Callable[..., Any] = found.fget if isinstance(found, property) else found.func
        return f"{'#' * level} {name}\n\n{_prose(parse(str(function.__doc__)))}\n"
    function = getattr(found, "__func__", found)
    said = parse(str(function.__doc__))
    parameters = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.name not in ("self", "cls")
    ]
    lines = [f"{'#' * level} {name}\n", f"    {_called(name, parameters)}\n", f"{_prose(said)}\n"]
    lines += [f"- `{each.arg_name}`: {_one_line(each.description)}" for each in said.params]
    ends = [("Returns", said.returns), *(("Raises", each) for each in said.raises)]
    for word, each in ends:
        if each is not None:
            kind = f" `{each.type_name}`:" if word == "Raises" else ":"
            lines.append(f"\n{word}{kind} {_one_line(each.description)}")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _called(name: str, parameters: list[inspect.Parameter]) -> str:
    """How a function is called, with its defaults."""
    words, by_name = [], False
    for each in parameters:
        if each.kind is each.VAR_KEYWORD:
            words.append(f"**{each.name}")
            continue
        if each.kind is each.KEYWORD_ONLY and not by_name:
            words.append("*")
            by_name = True
        default = "" if each.default is each.empty else f"={_value(each.default)}"
        words.append(f"{each.name}{default}")
    return f"{name}({', '.join(words)})"


def _value(default: Any) -> str:
    return repr(str(default)) if isinstance(default, str) else repr(default)


def _prose(said: Docstring) -> str:
    parts = (said.short_description, said.long_description)
    return "\n\n".join(_one_line(each) for part in parts if part for each in part.split("\n\n"))


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def study_page() -> str:
    """Every key of a study: what it means, what it may be, and its default."""
    schema = Study.model_json_schema()
    named: Node = schema["$defs"]
    parts = [
        f"# Settings of a study\n\n{WRITTEN}\n",
        "Keys in bold are required. `multirm check-study config/config.yaml` checks a study, and its\n"
        "[JSON schema](../../workflow/schemas/study.schema.json) has the ranges of numbers.\n",
        *_section("A study", schema, named),
    ]
    for name, node in named.items():
        if "properties" in node:
            parts += _section(name, node, named)
        else:
            values = ", ".join(f"`{value}`" for value in node["enum"])
            parts.append(f"## {name}\n\n{_sentence(node)}\n\nOne of {values}.\n")
    return "\n".join(parts)


def _section(title: str, node: Node, named: Node) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{_sentence(node)}\n"
    yield "| key | what | value | default |\n|---|---|---|---|"
    required = node.get("required", [])
    for key, value in node["properties"].items():
        shown = f"**`{key}`**" if key in required else f"`{key}`"
        cells = (shown, value["description"], _type(value, named), _default(value))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _sentence(node: Node) -> str:
    return " ".join(node["description"].split())


def _type(node: Node, named: Node) -> str:
    """What a value may be, with links to the sections of named types."""
    if reference := node.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in node:
            kinds = [_type(each, named) for each in node[several]]
            return " or ".join(dict.fromkeys(kinds))
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    match node.get("type"):
        case "array":
            kind = _type(node.get("items", {}), named)
            return f"a list of {_PLURALS.get(kind, kind)}"
        case "object":
            inner = node.get("additionalProperties") or next(
                iter(node.get("patternProperties", {"": {}}).values())
            )
            return f"by name: {_type(inner, named)}"
        case "null":
            return "null"
        case "boolean":
            return "true or false"
        case "integer":
            return "a whole number"
        case "number":
            return "a number"
        case "string":
            return "text"
    return "any value"


def _default(node: Node) -> str:
    default = node.get("default")
    if default is None or isinstance(default, dict):
        return ""
    words = {True: "true", False: "false"}
    shown = words[default] if isinstance(default, bool) else default
    return f"`{shown}`"


def write() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
