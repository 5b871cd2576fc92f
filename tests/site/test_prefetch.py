"""Everything that a study needs from the hub is downloaded once, and failures are reported at the end."""

from pathlib import Path

import pytest
import yaml

from multirm.errors import InputError
from multirm.site import prefetch as module
from multirm.site.prefetch import prefetch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The names requested from the hub, where `gated` cannot be downloaded."""
    asked: dict[str, list[str]] = {"models": [], "datasets": []}

    def asking(kind: str, name: str) -> None:
        asked[kind].append(name)
        if "gated" in name:
            raise InputError(name, expected="access", found="none")

    def fetch_model(name: str, weights: bool = True) -> None:
        asking("models", name if weights else f"{name} without weights")

    monkeypatch.setattr(module, "fetch_model", fetch_model)
    monkeypatch.setattr(module, "fetch_dataset", lambda name: asking("datasets", name))
    return asked


def test_all_of_the_paper_is_fetched_once(fetched: dict[str, list[str]]) -> None:
    prefetch(ROOT / "config" / "paper.yaml")
    assert fetched["models"] == [
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
        "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "Qwen/Qwen3-8B",
        "Qwen/QwQ-32B",
    ]
    assert len(fetched["datasets"]) == len(set(fetched["datasets"])) == 15


def test_rewards_on_the_hub_are_fetched_without_any_model(fetched: dict[str, list[str]]) -> None:
    prefetch(ROOT / "config" / "published.yaml")
    assert fetched["models"] == []
    assert len(fetched["datasets"]) == 14 + 12 * 14


def test_local_and_unused_sources_are_not_fetched(
    fetched: dict[str, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "backbone").mkdir()
    (tmp_path / "law.json").write_text("[]")
    study = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    study["data"] = str(tmp_path)
    study["backbones"]["8B"]["model"] = str(tmp_path / "backbone")
    study["datasets"]["MMLU-Pro_train"]["source"] = ["law.json", "owner/more"]
    study["critiques"]["mmlu_pro"] |= {"teacher": None, "published": {"gORM": ["owner/critiques"]}}
    study["models"] = {name: study["models"][name] for name in ("dORM-8B", "gORM-8B")}
    study["evaluation"]["datasets"] = ["MMLU-Pro_train"]
    study["evaluation"]["also_trained_on"] = ["MMLU-Pro_train"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    prefetch(tmp_path / "study.yaml")
    assert fetched == {"models": [], "datasets": ["owner/critiques", "owner/more"]}


def test_failures_are_reported_after_the_rest_is_fetched(
    fetched: dict[str, list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    study["backbones"]["14B"]["model"] = "owner/gated"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    with pytest.raises(InputError, match="found 1 that cannot"):
        prefetch(tmp_path / "study.yaml")
    assert "owner/gated: expected access, found none" in caplog.text
    assert len(fetched["models"]) == 4 and len(fetched["datasets"]) == 15


def test_models_that_run_elsewhere_are_fetched_without_weights(
    fetched: dict[str, list[str]], tmp_path: Path
) -> None:
    study = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    remote = {"engine": "openai", "server": "http://host/v1"}
    study["critiques"]["mmlu_pro"] |= remote
    study["models"]["gORM-8B"].setdefault("scoring", {}).update(remote)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    prefetch(tmp_path / "study.yaml")
    assert "Qwen/QwQ-32B without weights" in fetched["models"]
    # It is trained here.
    assert "deepseek-ai/DeepSeek-R1-Distill-Llama-8B" in fetched["models"]
