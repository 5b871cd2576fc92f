"""The script in a page is bundled once, and anew where it cannot be kept."""

from pathlib import Path

import pytest
import vl_convert

from multirm.charts.vega import script, user_cache


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bundling that is counted, and takes no second."""
    made: list[int] = []

    def bundle() -> str:
        made.append(len(made))
        return f"script {made[-1]} of Vega Μ"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    return made


def test_a_script_is_bundled_once(tmp_path: Path, bundles: list[int]) -> None:
    cache = tmp_path / "not" / "there"
    assert script(cache) == script(cache) == "script 0 of Vega Μ"
    (kept,) = cache.iterdir()
    kept.write_bytes(b"\xff")
    assert script(cache) == script(cache) == "script 1 of Vega Μ"
    assert bundles == [0, 1]


def test_a_script_that_cannot_be_kept_is_bundled_each_time(
    tmp_path: Path, bundles: list[int]
) -> None:
    (tmp_path / "file").touch()
    for cache in (None, tmp_path / "file"):
        assert script(cache) != script(cache)
    assert len(bundles) == 4


def test_the_script_is_that_of_vl_convert(tmp_path: Path) -> None:
    found = script(tmp_path)
    assert found == script(tmp_path)
    assert "vegaEmbed" in found and vl_convert.get_vega_version() in found


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_cache() == tmp_path / "cache" / "multirm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "multirm"
