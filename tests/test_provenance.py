"""What a model folder says of where it came from."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.files import digest
from multirm.provenance import (
    FILE,
    from_text,
    provenance,
    read_from_folder,
    to_text,
    write_to_folder,
)
from multirm.version import VERSION


def test_it_names_the_inputs_by_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.parquet").write_text("a")
    origin = provenance("adapter", {"rank": 4}, [Path("a.parquet")])
    assert (origin.made, origin.multirm, origin.parameters) == ("adapter", VERSION, {"rank": 4})
    assert origin.inputs == {"a.parquet": digest(tmp_path / "a.parquet")}


def test_it_is_the_same_bytes_for_the_same_and_ascii() -> None:
    one = provenance("adapter", {"a": 1, "name": "é\n\u202e"}, [])
    other = provenance("adapter", {"name": "é\n\u202e", "a": 1}, [])
    assert to_text(one) == to_text(other)
    assert to_text(one).isascii()
    assert from_text(Path("x"), to_text(one)) == one


def test_a_folder_keeps_it_and_one_without_says_nothing(tmp_path: Path) -> None:
    assert read_from_folder(tmp_path) is None
    origin = provenance("merged model", {"backbone": ["org/name@abc"]}, [])
    write_to_folder(tmp_path, origin)
    assert read_from_folder(tmp_path) == origin


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"made": "adapter"}', "[" * 100_000, '{"made": 1, "inputs": []}']
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"provenance\.json: expected a provenance as") as caught:
        read_from_folder(tmp_path)
    assert len(str(caught.value)) < 300
