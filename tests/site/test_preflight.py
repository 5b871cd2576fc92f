"""What would stop a job after days is reported before the first one."""

from pathlib import Path

import httpx2
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from multirm.errors import InputError
from multirm.site.preflight import check_access, check_engines


def test_an_engine_that_is_not_installed_is_named(tmp_path: Path) -> None:
    check_engines(["transformers", "openai"], tmp_path)
    with pytest.raises(InputError, match=r"\.venv-vllm: expected an environment with vLLM"):
        check_engines(["transformers", "vllm"], tmp_path)
    python = tmp_path / ".venv-vllm" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    check_engines(["vllm"], tmp_path)


@pytest.mark.parametrize(
    ("error", "message"),
    [(GatedRepoError, "put your token into HF_TOKEN"), (RepositoryNotFoundError, "found neither")],
)
def test_models_without_access_are_reported(
    monkeypatch: pytest.MonkeyPatch, error: type[GatedRepoError], message: str
) -> None:
    response = httpx2.Response(403, request=httpx2.Request("GET", "https://hub/api"))

    def refuse(name: str) -> None:
        raise error("no", response=response)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.auth_check", refuse)
    with pytest.raises(InputError, match=message):
        check_access(["owner/model"])


def test_without_a_connection_nothing_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def fail(name: str) -> None:
        asked.append(name)
        raise httpx2.ConnectError("no route")

    monkeypatch.setattr("huggingface_hub.auth_check", fail)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    check_access([str(tmp_path), "owner/model"])
    assert asked == ["owner/model"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    check_access(["owner/other"])
    assert asked == ["owner/model"]
