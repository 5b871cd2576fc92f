"""Errors name arguments instead of options, and are their message alone in a notebook."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from multirm.api.messages import in_python, spoken
from multirm.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--rewards", "rewards"),
        ("--category-groups science", "category_groups science"),
        ("add --unit dPRM=… (step or critique)", "add unit={'dPRM': '…'} (step or critique)"),
        ("use --rewards a=b; or --n 3", "use rewards={'a': 'b'}; or n 3"),
        ("well-known - and a--b", "well-known - and a--b"),
    ],
)
def test_options_become_arguments(text: str, expected: str) -> None:
    assert spoken(text) == expected


@given(st.text().filter(lambda text: "--" not in text))
def test_other_texts_stay(text: str) -> None:
    assert spoken(text) == text


def test_what_was_found_is_not_changed() -> None:
    with (
        pytest.raises(InputError, match=r"^n: expected a size, found '--n 3'; add unit=") as caught,
        in_python(),
    ):
        raise InputError("--n", expected="a size", found="'--n 3'", remedy="add --unit a=b")
    assert caught.value.__cause__ is None


def test_bugs_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), in_python():
        _ = 1 / 0


def test_a_notebook_shows_the_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell()
    try:
        ran = shell.run_cell("import multirm; multirm.results('no such folder')")
    finally:
        shell.history_manager.end_session()
    assert isinstance(ran.error_in_exec, InputError)
    said = capsys.readouterr()
    assert (said.out + said.err).strip() == (
        "InputError: no such folder: expected a folder of results, found no such folder"
    )
