"""The provenance of model folders."""

from dataclasses import asdict
from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.running.code import code_digest
from multirm.running.files import digest
from multirm.running.provenance import (
    FILE,
    check_files,
    check_replaceable,
    from_text,
    origin_of,
    read_from_folder,
    to_text,
    write_to_folder,
)
from multirm.version import VERSION
from tests.origins import made_of


def test_it_has_digests_of_code_and_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.parquet").write_text("a")
    module = "multirm.training.merge"
    origin = origin_of(module, {"rank": 4}, [Path("a.parquet")])
    assert (origin.multirm, origin.parameters) == (VERSION, {"rank": 4})
    assert origin.code == {module: code_digest(module)}
    assert origin.inputs == {"a.parquet": digest(tmp_path / "a.parquet")}


def test_it_is_deterministic_and_ascii() -> None:
    one = to_text("adapter", made_of({"a": 1, "name": "é\n\u202e"}))
    assert one == to_text("adapter", made_of({"name": "é\n\u202e", "a": 1}))
    assert one.isascii()
    read = from_text(Path("x"), one)
    assert read.made == "adapter"
    assert asdict(made_of({"a": 1, "name": "é\n\u202e"})).items() <= asdict(read).items()


def test_a_folder_keeps_it_and_another_has_none(tmp_path: Path) -> None:
    assert read_from_folder(tmp_path) is None
    write_to_folder(tmp_path, "merged model", made_of({"backbone": ["org/name@abc"]}))
    told = read_from_folder(tmp_path)
    assert told is not None
    assert (told.made, told.parameters) == ("merged model", {"backbone": ["org/name@abc"]})


def test_changed_or_missing_files_of_a_model_are_refused(tmp_path: Path) -> None:
    check_files(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    write_to_folder(tmp_path, "adapter", made_of())
    check_files(tmp_path)
    weights.write_bytes(b"weighs!")
    with pytest.raises(
        InputError, match=r"model\.safetensors: expected the file whose .* found another"
    ):
        check_files(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: .* found none; delete it"):
        check_files(tmp_path)


def test_a_folder_of_chat_templates_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("{{ messages }}")
    write_to_folder(tmp_path, "adapter", made_of())
    check_files(tmp_path)
    told = read_from_folder(tmp_path)
    assert told is not None and [*told.files] == ["additional_chat_templates/tool_use.jinja"]
    check_replaceable(tmp_path, "adapter")
    (tmp_path / "additional_chat_templates" / "mine.jinja").touch()
    with pytest.raises(InputError, match=r"such as additional_chat_templates/mine\.jinja"):
        check_replaceable(tmp_path, "adapter")


def test_models_from_elsewhere_may_have_a_file_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"sources": []}')
    check_files(tmp_path)
    (tmp_path / FILE).write_text('{"multirm": "0.1.0", "made": "adaqter"')
    with pytest.raises(InputError, match="expected a provenance in multirm's format"):
        check_files(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "{}/secret"])
def test_files_are_looked_up_only_in_their_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    name = name.format(tmp_path)
    (tmp_path / "secret").write_text("x")
    (folder / FILE).write_text(to_text("adapter", made_of(), {name: digest(tmp_path / "secret")}))
    assert (folder / name).is_file()
    with pytest.raises(InputError, match="found another"):
        check_files(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"made": "adapter"}', "[" * 100_000, '{"made": 1, "inputs": []}']
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"provenance\.json: expected a provenance in") as caught:
        read_from_folder(tmp_path)
    assert len(str(caught.value)) < 300
