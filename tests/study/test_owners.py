"""Which study made which files."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.study.owners import check_owners, note_owner


def test_what_another_made_is_not_replaced(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x", "y", "z"])
    check_owners("a", tmp_path, ["x", "y"])
    check_owners("b", tmp_path, [])
    check_owners("b", tmp_path, ["w"])
    with pytest.raises(
        InputError, match=r"^x and 1 more: expected what the study b made, found what"
    ):
        check_owners("b", tmp_path, ["y", "x", "w"])


def test_a_file_is_the_last_one_s_who_made_it(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x", "y"])
    note_owner("b", tmp_path, ["y"])
    check_owners("b", tmp_path, ["y"])
    check_owners("a", tmp_path, ["x"])
    with pytest.raises(InputError, match="found what the study b made"):
        check_owners("a", tmp_path, ["y"])


def test_more_runs_of_a_study_add_up(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x"])
    note_owner("a", tmp_path, ["y"])
    with pytest.raises(InputError, match=r"^x and 1 more"):
        check_owners("b", tmp_path, ["x", "y"])
