"""A site's settings against Slurm's own reports: made up here, from a real Slurm in tests/cluster."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from snakemake_executor_plugin_slurm import Executor

from multirm.errors import InputError
from multirm.site.slurm import (
    Cluster,
    Gpu,
    ask_slurm,
    check,
    check_partitions,
    parse_gpus,
    read_site,
)

FILE = Path("site.yaml")
CLUSTER = Cluster(
    gpus={"cpu": set(), "gpu": {Gpu("a100", 4), Gpu("h100", 8)}, "old": {Gpu("", 2)}},
    keeps_accounts=True,
    job_age=300,
)
ALONE = Cluster(gpus={"main": set()}, keeps_accounts=False, job_age=300)
FORGETFUL = Cluster(gpus={"main": set()}, keeps_accounts=False, job_age=30)


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ("(null)", set()),
        ("gpu:4", {Gpu("", 4)}),
        ("gpu:a100:4", {Gpu("a100", 4)}),
        ("gpu:a100:4(S:0-1),nvme:1", {Gpu("a100", 4)}),
        ("gpu:a100:2(S:0,3),gpu:a100_3g.20gb:8(S:1)", {Gpu("a100", 2), Gpu("a100_3g.20gb", 8)}),
    ],
)
def test_gpus_are_read_as_sinfo_writes_them(resources: str, gpus: set[Gpu]) -> None:
    assert parse_gpus(resources) == gpus


@pytest.mark.parametrize(
    ("site", "gpus", "cluster"),
    [
        ({}, 8, CLUSTER),
        ({}, 0, ALONE),
        ({"account": "mine", "accounting": True}, 0, CLUSTER),
        ({"gpu_type": "a100"}, 4, CLUSTER),
        ({"partitions": {"cpu": {}, "gpu": {"max_gpu": 8}}, "gpu_type": "h100"}, 8, CLUSTER),
        ({"partitions": {"cpu": {}}}, 0, CLUSTER),
        ({"accounting": True}, 0, Cluster(gpus={}, keeps_accounts=True, job_age=2)),
    ],
)
def test_a_site_that_fits(site: dict[str, Any], gpus: int, cluster: Cluster) -> None:
    check(site, gpus, cluster, FILE)


@pytest.mark.parametrize(
    ("site", "gpus", "cluster", "message"),
    [
        ({"partitions": {"gpus": {}}}, 0, CLUSTER, "partitions, cpu, gpu, old, found 'gpus'"),
        ({"gpu_type": "b200"}, 1, CLUSTER, r"GPU in the partitions \(a100, h100\), found 'b200'"),
        ({"gpu_type": "a100"}, 8, CLUSTER, "a node with 8 GPUs .* found 4 at most"),
        ({"partitions": {"gpu": {}}}, 1, CLUSTER, "with a max_gpu, as a job asks for, found none"),
        (
            {"partitions": {"old": {"max_gpu": 2}}, "gpu_type": "a100"},
            0,
            CLUSTER,
            "none with a type",
        ),
        ({}, 1, ALONE, "found none with any; name a partition that has them in site.yaml"),
        ({"accounting": True}, 0, ALONE, "no accounting database, found accounting: True"),
        ({"account": "mine"}, 0, ALONE, "no accounting database, found account: 'mine'"),
        ({}, 0, FORGETFUL, "MinJobAge of at least 200 s, found MinJobAge = 30 s"),
        ({}, 0, Cluster({}, keeps_accounts=True, job_age=30), "expected `accounting: true`"),
    ],
)
def test_a_site_that_does_not_fit(
    site: dict[str, Any], gpus: int, cluster: Cluster, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check(site, gpus, cluster, FILE)


@dataclass
class Asked:
    """A job as Snakemake knows it."""

    threads: int = 1
    resources: dict[str, Any] = field(default_factory=dict)
    name: str = "train"


TRAINING = Asked(8, {"gpu": 1, "mem_mb": 30_000, "runtime": 600})
TABLE = Asked(1, {"gpu": 0, "mem_mb": 2000, "runtime": 60})
GPUS = {"gpu": {"max_gpu": 1, "max_mem_mb": 30_000, "max_threads": 8, "max_runtime": "10h"}}


@pytest.mark.parametrize("partitions", [None, {}, GPUS, {"short": {"max_runtime": 60}, **GPUS}])
def test_jobs_that_fit_a_partition(partitions: dict[str, Any] | None) -> None:
    site = {"partitions": partitions}
    check_partitions(site, [TRAINING, TABLE, TRAINING], FILE)
    # Without partitions of its own, a site has Slurm's default one, whose limits are unknown.
    too_large = Asked(9, TRAINING.resources)
    with pytest.raises(InputError, match="9 cores") if partitions else nullcontext():
        check_partitions(site, [TABLE, too_large], FILE)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_gpu": 0},
        {"max_mem_mb": 29_999},
        {"max_threads": 7},
        {"max_runtime": "9h"},
        {"max_runtime": "0-09:59:00"},
    ],
)
def test_jobs_that_fit_no_partition(limits: dict[str, Any]) -> None:
    site = {"partitions": {"gpu": {**GPUS["gpu"], **limits}, "short": {"max_runtime": "1h"}}}
    asked = "train: expected a partition that allows 1 GPUs, 8 cores, 30000 MB, 600 minutes"
    with pytest.raises(InputError, match=asked):
        check_partitions(site, [TABLE, TRAINING], FILE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acount: mine\n", "found 'acount'; did you mean account?"),
        ("- mine\n", "expected keys with values"),
        ("partitions: [gpu]\n", "expected partitions with what they allow"),
        ("partitions: {gpu: }\n", "what partition gpu allows, as `gpu: {}`"),
        ("partitions: {gpu: {max_gpus: 8}}\n", "found 'max_gpus'; did you mean max_gpu?"),
        (
            "partitions: {gpu: {max_gpu: some}}\n",
            "expected a whole number as max_gpu, found 'some'",
        ),
        ("partitions: {gpu: {max_runtime: often}}\n", "expected a time as max_runtime, such as"),
        ("partitions: {gpu: {max_runtime: }}\n", "expected a time as max_runtime, such as"),
        ("account: a\naccount: b\n", "account"),
    ],
)
def test_a_site_file_is_read_strictly(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_site(file)
    assert message in str(error.value)


def test_the_site_file_is_empty_by_default() -> None:
    root = Path(__file__).resolve().parents[2]
    assert read_site(root / "workflow" / "profiles" / "slurm" / "site.yaml") == {}


def test_the_executor_queries_the_age_of_jobs_by_the_name_that_is_replaced() -> None:
    """Otherwise `keep_asking_squeue` would silently have no effect."""
    assert "get_min_job_age" in Executor.check_active_jobs.__code__.co_names


def test_without_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="sinfo: expected Slurm, found no such program"):
        ask_slurm()
