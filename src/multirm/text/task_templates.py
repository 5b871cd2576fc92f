"""Templates of the user turns that ask a chat model for something other than a critique."""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from multirm.errors import InputError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def own_task_template(name: str) -> Path:
    """The package's own template of this name."""
    return Path(str(resources.files("multirm"))) / "text" / "templates" / f"{name}.txt"


def load_task_template(path: Path, *needed: str) -> str:
    """The template in a file, as text, without line ends around it.

    Args:
        needed: names of the placeholders, as in `{question}`, that it must have.

    Raises:
        InputError: `path` is missing or not UTF-8, or lacks a placeholder.
    """
    if not path.is_file():
        raise InputError(path, expected="a prompt template", found="no such file")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"the byte 0x{error.object[error.start]:02x}"
        raise InputError(path, expected="a prompt template in UTF-8", found=found) from error
    missing = [name for name in needed if f"{{{name}}}" not in text]
    if missing:
        raise InputError(
            path,
            expected=f"the placeholders {' and '.join(f'{{{name}}}' for name in needed)}",
            found=f"none for {', '.join(missing)}",
        )
    return text.strip("\n")


def fill_template(template: str, texts: Mapping[str, str]) -> str:
    """The template with each placeholder that `texts` has replaced; braces in the texts are left alone."""
    return _PLACEHOLDER.sub(lambda place: texts.get(place[1], place[0]), template)
