"""Any mixture of files, folders and hub names in one source."""

from pathlib import Path

import pytest

from multirm.formats.sources import Reader, is_hub_name, local_files, places_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a space in its name."""
    folder = tmp_path / "my data"
    for name in ("ours/law.json", "ours/physics.json", "hub format/data/law.parquet", "one.json"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[]")
    return folder


def test_files_folders_and_hub_names_stay_in_order(data: Path) -> None:
    source = ["ours", "owner/hub-name", "hub format", "o*.json", str(data / "one.json")]
    places = places_of(Reader.PUBLISHED, source, data, "law.json")
    one = data / "one.json"
    assert places == [data / "ours" / "law.json", "owner/hub-name", data / "hub format", one, one]
    assert local_files(places) == [
        data / "ours" / "law.json",
        data / "hub format" / "data" / "law.parquet",
        one,
        one,
    ]


def test_a_folder_of_any_other_format_is_read_whole(data: Path) -> None:
    places = places_of(Reader.PRMBENCH, ["ours"], data, "law.json")
    assert places == [data / "ours"]
    assert local_files(places) == [data / "ours" / "law.json", data / "ours" / "physics.json"]


@pytest.mark.parametrize(
    "name",
    [
        "none.json",
        "none*",
        "none.jsonl",
        "./none",
        "/none",
        "none",
        "ours/none",
        "a/b/c",
        "no/ne.csv",
    ],
)
def test_a_file_name_is_not_a_hub_name(data: Path, name: str) -> None:
    places = places_of(Reader.PUBLISHED, [name], data, "law.json")
    assert local_files(places) == [data / name]


def test_only_one_reader_supports_the_hub(data: Path) -> None:
    assert places_of(Reader.GSM8K, ["owner/name"], data, "math.json") == [data / "owner" / "name"]
    assert places_of(Reader.PUBLISHED, ["owner/name"], data, "math.json") == ["owner/name"]


def test_a_category_missing_in_a_folder_is_still_listed(data: Path) -> None:
    places = places_of(Reader.PUBLISHED, ["ours"], data, "history.json")
    assert local_files(places) == [data / "ours" / "history.json"]


def test_the_first_existing_file_of_a_category_is_read(data: Path) -> None:
    files = ("preprocessed_law.json", "law.json")
    assert places_of(Reader.PUBLISHED, ["ours"], data, *files) == [data / "ours" / "law.json"]
    (data / "ours" / "preprocessed_law.json").write_text("[]")
    found = places_of(Reader.PUBLISHED, ["ours"], data, *files)
    assert found == [data / "ours" / "preprocessed_law.json"]


def test_a_local_folder_is_not_looked_up_on_the_hub(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    names = ["owner/name", "ours/name", "name", "./name", "../name/x", "/owner/name", "owner/", ""]
    assert [is_hub_name(name) for name in names] == [True] + [False] * 7
    assert is_hub_name("ours/name", data / "ours")
