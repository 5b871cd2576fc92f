"""Write the reference pages from what they describe: the commands' docstrings and the study's settings.

`make reference` runs it; a test checks that the pages in docs/reference are in step.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from multirm.cli import COMMANDS, build_app
from multirm.study.study import Study

FOLDER = Path(__file__).parent / "reference"

WRITTEN = "<!-- Written by `make reference`; edit what it describes instead. -->"

_PLURALS = {"a whole number": "whole numbers", "a number": "numbers", "text": "texts"}

Node = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page in docs/reference, by its name."""
    return {"commands.md": commands_page(), "study.md": study_page()}


def commands_page() -> str:
    """What `--help` says of every command, stage by stage."""
    parts = [
        f"# Commands\n\n{WRITTEN}\n",
        "`multirm COMMAND --help` shows the same in a terminal.\n",
    ]
    for stage, commands in COMMANDS.items():
        parts.append(f"## {stage}\n")
        for name in commands:
            text = build_app(name)[name].generate_docs(
                heading_level=3, usage_name=f"multirm {name}"
            )
            # Options that empty a list, which no command needs.
            text = re.sub(r", --empty-[\w-]+", "", text)
            parts.append(f"{text.strip()}\n")
    return "\n".join(parts)


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
