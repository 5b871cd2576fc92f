"""The cluster profile on a real Slurm with three nodes, all on this machine."""

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
import yaml

from multirm.errors import InputError
from multirm.site.slurm import try_submission

SLURM = Path(__file__).with_name("slurm.sh")
LOCK = Path(tempfile.gettempdir(), "multirm-slurm.lock")
CONTROLLER_LOG = Path("/run/multirm-slurm/slurmctld.log")
LONG_ENOUGH = 1800
MODELS = ("dORM-micro",)
# Jobs of each kind: other evaluations, figures and tables ask Slurm for the same.
TARGETS = (
    "results/evaluation/Micro/accuracy.parquet",
    "results/figures/best_of_n/Micro.svg",
    "results/tables/rewards/Micro.tex",
)

# Jobs here take seconds, so they are polled more often; and the machine has only two cores.
PROFILE = ["--profile", "slurm", "--configfile", "config/micro.yaml", "--jobs", "3"]
OFTEN = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
SNAKEMAKE = [sys.executable, "-m", "snakemake", *PROFILE, *OFTEN, "--latency-wait", "5"]


class Job(NamedTuple):
    """A job as Slurm lists it: `memory` and `time` are what it may use, `comment` names its rule and wildcards."""

    id: str
    state: str
    node: str
    memory: str
    time: str
    comment: str


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A running Slurm; tests are skipped where it cannot run, except under CI."""
    with LOCK.open("w") as lock:
        # A machine can be only one cluster at a time: wait for other tests on it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = subprocess.run([SLURM, "start"], capture_output=True, text=True, check=False)
        if start.returncode != 0:
            message = f"needs a Slurm, which could not be started: {start.stderr.strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        yield
        subprocess.run([SLURM, "stop"], check=True)


def listed_jobs() -> list[Job]:
    lines = ask("squeue", "--noheader", "--states=all", "--format=%A|%T|%N|%m|%l|%k").splitlines()
    return [Job(*line.split("|", 5)) for line in lines]


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*SNAKEMAKE, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_for(run: subprocess.Popen[bytes], wanted: Callable[[Job], bool]) -> Job:
    """Wait for a job."""
    ends = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < ends and run.poll() is None:
        for job in listed_jobs():
            if wanted(job):
                return job
        time.sleep(0.2)
    raise AssertionError("no such job")


def running(rule: str) -> Callable[[Job], bool]:
    return lambda job: job.state == "RUNNING" and job.comment.startswith(f"rule_{rule}")


def hurry(job: Job) -> None:
    """Slurm delays a requeued job by two minutes; some seconds are enough.

    In the second in which it was killed, its node would refuse it, and Slurm would call it failed.
    """
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        # It may still be ending; before that, the command would have no effect.
        if any(each.id == job.id and each.state == "PENDING" for each in listed_jobs()):
            break
        time.sleep(0.2)
    ask("scontrol", "update", f"jobid={job.id}", "starttime=now+3")


def megabytes(memory: str) -> int:
    """As squeue writes it: `2507M`, or `5014M` as `4.9G` where that is shorter and exact."""
    number, unit = float(memory[:-1]), memory[-1]
    return round(number * {"M": 1, "G": 1024}[unit])


def submissions() -> list[str]:
    return re.findall(r"_slurm_rpc_submit_batch_job: JobId=(\d+)", CONTROLLER_LOG.read_text())


def keep_only(models: Sequence[str], study: Path) -> None:
    """Remove the other reward models from a study."""
    settings = yaml.safe_load(study.read_text())
    settings["models"] = {name: settings["models"][name] for name in models}
    study.write_text(yaml.safe_dump(settings))


def assert_same_tables(folder: Path, other: Path) -> None:
    """All tables equal those of the whole study, except for what is about all models, of which that has more."""
    files = [file.relative_to(folder) for file in (folder / "results").rglob("*.parquet")]
    assert {file.parts[2] for file in files if file.parts[1] == "rewards"} == set(MODELS)
    for file in sorted(files):
        if file.parts[1] not in ("evaluation", "tables"):
            assert pq.read_table(folder / file).equals(pq.read_table(other / file)), file


@pytest.mark.usefixtures("slurm")
def test_a_study_with_accidents_ends_as_on_one_machine(
    checkout: Path, finished_study: Path
) -> None:
    """Every job goes through sbatch; a lost node, a requeued job and a cancelled one change no table."""
    keep_only(MODELS, checkout / "config" / "micro.yaml")
    before = len(submissions())
    log = checkout / "run.log"
    command = [*SNAKEMAKE, "--slurm-keep-successful-logs", "--", *TARGETS]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=checkout, stdout=output, stderr=subprocess.STDOUT) as run,
    ):
        try:
            lost = wait_for(run, running("pretrain_backbone"))
            subprocess.run([SLURM, "lose", lost.node], check=True)
            hurry(lost)
            elsewhere = wait_for(run, lambda job: job.id == lost.id and job.state == "RUNNING")
            assert elsewhere.node != lost.node
            subprocess.run([SLURM, "start"], check=True)
            # The controller goes down for a while, after saving its state; Snakemake keeps polling.
            time.sleep(10)
            subprocess.run([SLURM, "lose", "slurmctld"], check=True)
            time.sleep(15)
            subprocess.run([SLURM, "start"], check=True)

            requeued = wait_for(run, running("train_discriminative"))
            ask("scontrol", "requeue", requeued.id)
            hurry(requeued)
            cancelled = wait_for(run, running("score_discriminative"))
            ask("scancel", cancelled.id)
            again = wait_for(
                run, lambda job: job.comment == cancelled.comment and job.id != cancelled.id
            )
            assert megabytes(again.memory) == 2 * megabytes(cancelled.memory)
            assert again.time != cancelled.time
            assert run.wait(LONG_ENOUGH) == 0, log.read_text()
        finally:
            run.kill()
    said = log.read_text()
    assert f"SLURM-job '{cancelled.id}' failed, SLURM status is: 'CANCELLED'" in said
    assert f"SLURM-job '{lost.id}' failed" not in said
    assert f"SLURM-job '{requeued.id}' failed" not in said
    assert said.count("SLURM-job '") == 1
    assert_same_tables(checkout, finished_study)

    submitted = re.findall(r"submitted with SLURM jobid (\d+)", said)
    assert sorted(submitted) == sorted(submissions()[before:])
    logs = checkout / "results" / "logs" / "slurm"
    assert {file.stem for file in logs.rglob("*.log")} == set(submitted)
    stages = {folder.name.removeprefix("rule_") for folder in logs.iterdir()}
    counts = said.split("Job stats:")[1].split("total")[0].splitlines()[3:]
    rules = {line.split()[0] for line in counts if line.strip()}
    assert {"evaluate", "draw_best_of_n", "tabulate_rewards"} <= rules
    grouped = {"generate_miniature", "demonstrate"}
    assert rules - grouped <= stages
    assert {stage.split("_")[1] for stage in stages if stage.startswith("group_")} == {"data"}


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize(
    ("site", "message"),
    [
        ({"partitions": {"mian": {}}}, "expected one of the site's partitions, main, found 'mian'"),
        ({"gpu_type": "h100"}, r"expected a type of GPU in the partitions \(tiny\), found 'h100'"),
        ({"account": "mine"}, "this site has no accounting database, found account: 'mine'"),
        (
            # For each separate job, but not for those that are submitted together, whichever come first.
            {"partitions": {"main": {"max_runtime": "65m"}}},
            "job (data_demonstrate_generate_miniature|critiques_filter_critiques_shorten_critiques): "
            "expected a partition that allows 0 GPUs, 1 ",
        ),
    ],
)
def test_a_wrong_site_stops_before_any_job(
    checkout: Path, site: dict[str, object], message: str
) -> None:
    before = submissions()
    (checkout / "workflow/profiles/slurm/site.yaml").write_text(yaml.safe_dump(site))
    run = snakemake(checkout, "--", "all")
    assert run.returncode != 0
    assert re.search(message, run.stderr)
    assert "Traceback" not in run.stderr
    assert submissions() == before


@pytest.mark.usefixtures("slurm")
def test_a_study_fits_into_partitions_whose_limits_it_keeps(checkout: Path) -> None:
    """What stops this run is checked after the site: the missing environment of an engine."""
    before = submissions()
    site = {"partitions": {"main": {"max_runtime": "1d", "max_mem_mb": 10**6}}}
    (checkout / "workflow/profiles/slurm/site.yaml").write_text(yaml.safe_dump(site))
    (checkout / ".venv-vllm").unlink()
    run = snakemake(checkout, "--", "all")
    assert run.returncode != 0
    assert "multirm: .venv-vllm: expected an environment with vLLM" in run.stderr
    assert submissions() == before


@pytest.mark.usefixtures("slurm")
def test_what_sbatch_would_refuse_is_reported_beforehand() -> None:
    with pytest.raises(InputError, match=r"sbatch --partition mian: .* invalid partition .*: mian"):
        try_submission(["--partition", "mian"], Path("site.yaml"))


@pytest.mark.usefixtures("slurm")
def test_the_site_s_settings_reach_slurm_and_its_reasons_the_user(checkout: Path) -> None:
    """Jobs without a GPU ignore the site's GPU type."""
    site = {"gpu_type": "tiny", "partitions": {"main": {"max_gpu": 1}}}
    (checkout / "workflow/profiles/slurm/site.yaml").write_text(yaml.safe_dump(site))
    target = "results/data/Micro/history.parquet"
    alone = ["--groups", "filter_critiques=critiques", "--retries", "0"]
    too_much = ["--set-resources", "generate_miniature:mem_mb=99000000", "generate_miniature:gpu=1"]
    refused = snakemake(checkout, *alone, *too_much, "--", target)
    assert refused.returncode != 0
    assert "sbatch: error: Memory specification can not be satisfied" in refused.stderr
    assert "--gpus=tiny:1" in refused.stderr
    assert " -p main " in refused.stderr

    done = snakemake(checkout, "--", target)
    assert done.returncode == 0, done.stderr
    assert (checkout / target).exists()
