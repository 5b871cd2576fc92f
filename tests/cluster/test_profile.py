"""The cluster profile, without a cluster."""

import subprocess
import sys
from pathlib import Path

import pytest
import yte

SITE = Path("workflow/profiles/slurm/site.yaml")
FOR_ALL = {"gpu": 0, "nodes": 1, "in_turn": 1}


def snakemake(
    folder: Path, *arguments: str, profile: str = "slurm"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--profile", profile, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "study"),
    [
        ([], "config/paper.yaml"),
        (["--configfile", "config/micro.yaml"], "config/micro.yaml"),
        (["--configfile", "config/micro.yaml", "all"], "config/micro.yaml"),
    ],
)
def test_the_paper_is_the_default_study(checkout: Path, arguments: list[str], study: str) -> None:
    """Shown by an error, whose message names the study's file."""
    run = snakemake(checkout, *arguments, "--dry-run", "--config", "sed=1")
    assert run.returncode != 0
    assert f"{study}: expected known keys only, found sed" in run.stderr


def test_all_may_follow_the_study(checkout: Path) -> None:
    run = snakemake(checkout, "--dry-run", "--configfile", "config/micro.yaml", "all")
    assert run.returncode == 0, run.stderr
    assert "draw_best_of_n" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("site", "settings"),
    [
        ("", {"default-resources": FOR_ALL, "slurm-status-command": "squeue"}),
        (
            "{account: 123, gpu_type: a100, accounting: true, partitions: {gpu: {max_gpu: 8}}}",
            {
                "default-resources": {
                    **FOR_ALL,
                    "slurm_account": "'123'",
                    "gpu_model": "'a100'",
                },
                "slurm-status-command": "sacct",
                "slurm-partition-config": "site.yaml",
            },
        ),
    ],
)
def test_the_settings_of_the_site_are_in_the_profile(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, site: str, settings: dict[str, object]
) -> None:
    (checkout / SITE).write_text(site)
    monkeypatch.chdir(checkout)
    with (checkout / "slurm" / "profile.v9+.yaml").open() as file:
        profile = yte.process_yaml(file, require_use_yte=True)
    assert {key: profile[key] for key in settings} == settings


def test_the_site_is_not_ignored_from_another_folder(checkout: Path, tmp_path: Path) -> None:
    profile = checkout / "workflow" / "profiles" / "slurm"
    run = snakemake(tmp_path, "--dry-run", profile=str(profile))
    assert run.returncode != 0
    assert "workflow/profiles/slurm/site.yaml" in run.stderr
