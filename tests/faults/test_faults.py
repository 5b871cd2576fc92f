"""Deliberate faults: after each, the next plain run gives the same tables, or says what to do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", "config/micro.yaml", "--cores", "2"]
SHOWN = ["--show-failed-logs", "--keep-going"]
LONG_ENOUGH = 300


def run(folder: Path, *targets: str) -> tuple[int, str]:
    """A plain run to its end: exit code and output."""
    command = [*SNAKEMAKE, *SHOWN, "--", *(targets or ["all"])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def start(folder: Path, *targets: str) -> subprocess.Popen[bytes]:
    """A run in a session of its own, because stopped processes outlive their parents."""
    command = [*SNAKEMAKE, "--", *(targets or ["all"])]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet, start_new_session=True)


def job_process(run: subprocess.Popen[bytes], folder: Path, command: str) -> int:
    """Wait for a process in `folder` that runs a command of multirm, until the run is over."""
    ends = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < ends and run.poll() is None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                here = (process / "cwd").readlink()
            except OSError:
                continue
            # Not the shell or a launcher, which have the command later or within one argument.
            if here == folder and command.encode() in words[3:5]:
                return int(process.name)
        time.sleep(0.02)
    raise AssertionError(f"no process of {command}")


def wait_for(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + LONG_ENOUGH
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def is_over(process: int) -> bool:
    """Whether a process has ended, even if it is still a zombie."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


def forget(folder: Path, *files: str) -> None:
    """Delete results, so that they must be made again."""
    for file in files:
        (folder / "results" / file).unlink()


def left_over(folder: Path) -> list[Path]:
    """Partial files, journals and checkpoints."""
    return [path for path in (folder / "results").rglob(".*") if path.name != ".gitignore"]


def assert_same(folder: Path, finished_study: Path, below: str = "") -> None:
    """Tables and weights equal those of the undisturbed study."""
    files = [
        file
        for pattern in ("*.parquet", "*.csv", "*.safetensors")
        for file in (finished_study / "results" / below).rglob(pattern)
    ]
    assert files
    for file in files:
        other = folder / file.relative_to(finished_study)
        if file.suffix == ".parquet":
            assert pq.read_table(other).equals(pq.read_table(file)), other
        else:
            assert other.read_bytes() == file.read_bytes(), other


REWARDS = "rewards/dORM-micro/Micro/chemistry.parquet"
# The rewards, and a table that is made from all of them.
AND_AFTER = (f"results/{REWARDS}", "results/evaluation/Micro/accuracy.parquet")
ADAPTER = "models/dORM-micro/adapter"


def test_a_killed_job_is_made_again(study_copy: Path, finished_study: Path) -> None:
    """A training job, killed halfway: the next run resumes from its checkpoint."""
    forget(study_copy, f"{ADAPTER}/adapter_model.safetensors")
    target = f"results/{ADAPTER}/adapter_model.safetensors"
    going = start(study_copy, target)
    process = job_process(going, study_copy, "train-discriminative")
    checkpoints = study_copy / "results" / ADAPTER / ".." / ".adapter.checkpoints"
    wait_for(lambda: list(checkpoints.glob("checkpoint.pt")) or is_over(process))
    os.kill(process, signal.SIGKILL)
    assert going.wait() != 0
    assert left_over(study_copy)
    code, said = run(study_copy, target, *AND_AFTER)
    assert code == 0, said
    assert_same(study_copy, finished_study)
    assert left_over(study_copy) == []


def test_snakemake_and_its_jobs_are_killed(study_copy: Path, finished_study: Path) -> None:
    forget(study_copy, REWARDS)
    going = start(study_copy, *AND_AFTER)
    job_process(going, study_copy, "score-discriminative")
    os.killpg(going.pid, signal.SIGKILL)
    going.wait()
    assert list((study_copy / ".snakemake" / "locks").iterdir())
    code, said = run(study_copy, *AND_AFTER)
    assert code == 0, said
    assert "its lock is removed" in said
    assert_same(study_copy, finished_study)
    assert not (study_copy / ".snakemake" / "locks").exists()


@pytest.mark.parametrize(
    ("lost", "command", "journal"),
    [
        (REWARDS, "score-discriminative", ".chemistry.parquet.journal"),
        (
            "models/dPRM-micro/adapter/adapter_model.safetensors",
            "train-discriminative",
            ".adapter.checkpoints",
        ),
    ],
    ids=["scoring", "training"],
)
def test_snakemake_alone_is_killed(
    study_copy: Path, finished_study: Path, lost: str, command: str, journal: str
) -> None:
    """A job that is still running keeps the next run from making its outputs until it has ended."""
    forget(study_copy, lost)
    going = start(study_copy, f"results/{lost}")
    orphan = job_process(going, study_copy, command)
    wait_for(lambda: [*(study_copy / "results").rglob(journal)])
    os.kill(orphan, signal.SIGSTOP)
    going.kill()
    going.wait()
    try:
        code, said = run(study_copy, f"results/{lost}")
        assert code != 0
        assert "expected no other process" in said
        assert "wait for it, or stop it" in said
        assert "Traceback" not in said
    finally:
        os.kill(orphan, signal.SIGCONT)
    wait_for(lambda: is_over(orphan))
    code, said = run(study_copy, f"results/{lost}")
    assert code == 0, said
    assert_same(study_copy, finished_study)


def test_a_second_run_is_refused_and_the_first_unharmed(
    study_copy: Path, finished_study: Path
) -> None:
    forget(study_copy, REWARDS)
    first = start(study_copy, *AND_AFTER)
    process = job_process(first, study_copy, "score-discriminative")
    os.kill(process, signal.SIGSTOP)
    code, said = run(study_copy, *AND_AFTER)
    os.kill(process, signal.SIGCONT)
    assert code != 0
    assert "Directory cannot be locked" in said
    assert first.wait() == 0
    assert_same(study_copy, finished_study)


@pytest.fixture
def small_disk(study_copy: Path) -> Iterator[Path]:
    """A copy of the study with its results on a separate disk, which has 256 KiB left."""
    results = study_copy / "results"
    aside = results.rename(study_copy / "aside")
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(results)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        reason = f"needs the right to mount a small disk: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        shutil.copytree(aside, results, dirs_exist_ok=True, symlinks=True)
        resize(results, room=256 * 1024)
        yield study_copy
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


def resize(disk: Path, room: int) -> None:
    """Fill a disk in memory except for this many bytes."""
    state = os.statvfs(disk)
    used = (state.f_blocks - state.f_bfree) * state.f_frsize
    subprocess.run(["mount", "-o", f"remount,size={used + room}", str(disk)], check=True)


def test_a_full_disk(small_disk: Path, finished_study: Path) -> None:
    folder = small_disk / "results" / "models" / "dORM-micro" / "merged"
    target = "results/models/dORM-micro/merged/model.safetensors"
    backbone = small_disk / "results" / "backbones" / "micro" / "model" / "model.safetensors"
    resize(small_disk / "results", room=backbone.stat().st_size // 2)
    code, said = run(small_disk, target)
    assert code != 0
    assert "expected room on the disk, found No space left on device; free some space" in said
    assert "Traceback" not in said
    assert not (folder / "model.safetensors").exists()
    assert [path for path in left_over(small_disk) if "journal" not in path.name] == []
    resize(small_disk / "results", room=64 * 2**20)
    code, said = run(small_disk, target)
    assert code == 0, said
    assert (folder / "model.safetensors").exists()
    assert_same(small_disk, finished_study)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit in the middle of the data."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "file", "consumer"),
    [
        (cut, "data/Micro/chemistry.parquet", "rewards/dORM-micro/Micro/chemistry.parquet"),
        (flip, "data/Micro/chemistry.parquet", "rewards/dORM-micro/Micro/chemistry.parquet"),
        (cut, f"{ADAPTER}/adapter_model.safetensors", REWARDS),
        (flip, f"{ADAPTER}/adapter_model.safetensors", REWARDS),
    ],
    ids=["cut table", "flipped table", "cut adapter", "flipped adapter"],
)
def test_damage_is_reported_and_fixed_by_deletion(
    study_copy: Path,
    finished_study: Path,
    damage: Callable[[Path], None],
    file: str,
    consumer: str,
) -> None:
    path = study_copy / "results" / file
    damage(path)
    code, said = run(study_copy, f"results/{consumer}")
    assert code != 0
    assert "Traceback" not in said
    # A plain run ends with what is wrong.
    *_, line = said.splitlines()
    rule = "score_discriminative, model=dORM-micro, dataset=Micro, category="
    assert line.startswith(f"multirm: {rule}")
    assert "(log: results/logs/" in line
    assert f"results/{file}" in line
    assert "delete it and make" in line
    path.unlink()
    code, said = run(study_copy, f"results/{consumer}")
    assert code == 0, said
    assert path.read_bytes() == (finished_study / "results" / file).read_bytes()
    assert_same(study_copy, finished_study, str(Path(consumer).parent))


def test_partial_files_of_killed_jobs_do_not_accumulate(study_copy: Path) -> None:
    table = study_copy / "results" / "rewards" / "dORM-micro" / "Micro" / "chemistry.parquet"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    half = table.with_name(f".{table.name}.{dead.pid}.part")
    half.write_bytes(table.read_bytes()[:100])
    table.unlink()
    code, said = run(study_copy, f"results/{REWARDS}")
    assert code == 0, said
    assert left_over(study_copy) == []


def test_an_interrupted_installation_is_repeated(tmp_path: Path) -> None:
    """Killed during pip: `make` starts over, because only a complete installation is marked."""
    root = Path(__file__).resolve().parents[2]
    for file in ("Makefile", "pyproject.toml", "envs/constraints.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(root / file, tmp_path / file)
    # Instead of real packages: an environment is a folder, and the first pip is slow.
    tools = tmp_path / "tools"
    tools.mkdir()
    pip = "#!/bin/sh\n[ -e {0}/half ] || {{ touch {0}/half; sleep 600; }}\ntouch {0}/whole\n"
    made = tmp_path / ".venv"
    (tools / "pip").write_text(pip.format(made))
    python = (
        f"#!/bin/sh\nmkdir -p {made}/bin && cp {tools}/pip {made}/bin && chmod +x {made}/bin/pip\n"
    )
    (tools / "python3").write_text(python)
    (tools / "python3").chmod(0o755)
    path = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    command = ["make", ".venv/installed"]
    going = subprocess.Popen(command, cwd=tmp_path, env=path, process_group=0)
    wait_for((made / "half").exists)
    os.killpg(going.pid, signal.SIGKILL)
    going.wait()
    assert not (made / "installed").exists()
    subprocess.run(command, cwd=tmp_path, env=path, check=True)
    assert (made / "whole").exists()
    assert (made / "installed").exists()
    again = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True)
    assert "is up to date" in again.stdout
