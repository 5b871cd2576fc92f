"""Templates of user turns: what is read, filled and refused."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.text.task_templates import fill_template, load_task_template, own_task_template


@pytest.mark.parametrize("name", ["solve", "solve_open"])
def test_the_packages_own_are_readable(name: str) -> None:
    text = load_task_template(own_task_template(name), "question")
    assert text.endswith("{question}")


def test_only_named_placeholders_are_filled_and_once() -> None:
    texts = {"question": "{steps} {x} {}", "steps": "{question}"}
    filled = fill_template("{question}|{steps}|{other}|{{question}}", texts)
    assert filled == "{steps} {x} {}|{question}|{other}|{{steps} {x} {}}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "expected a prompt template, found no such file"),
        (b"\xff{question}", "a prompt template in UTF-8, found the byte 0xff"),
        (b"{question}", "placeholders {question} and {steps}, found none for steps"),
    ],
)
def test_unusable_ones_are_refused(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        load_task_template(path, "question", "steps")
