"""Which study made a file, where several studies share a folder of results.

They may share what is the same in both, and each may make anew what is its own. What another has made under
the same name with other settings would be lost without a word.
"""

from collections.abc import Iterable
from pathlib import Path

from multirm.errors import InputError
from multirm.running.files import whole


def check_owners(study: str, results: Path, replaced: Iterable[str]) -> None:
    """Refuse to put a study's results in the place of another's.

    Args:
        study: the name of the study that is about to run. A study that was edited keeps it.
        results: the folder of results, in which each study lists what it made.
        replaced: files that are there and that jobs with other settings or inputs would make anew.

    Raises:
        InputError: another study made one of them.
    """
    wanted = set(replaced)
    for record in _records(results, other_than=study):
        theirs = sorted(wanted.intersection(_listed(record)))
        if theirs:
            more = f" and {len(theirs) - 1} more" if theirs[1:] else ""
            raise InputError(
                f"{theirs[0]}{more}",
                expected=f"what the study {study} made",
                found=f"what the study {record.stem} made with other settings",
                remedy="run one of them in its own folder (snakemake --directory FOLDER), or delete these",
            )


def note_owner(study: str, results: Path, made: Iterable[str]) -> None:
    """Note that a study makes some files, whoever made them before.

    Args:
        study: its name.
        results: the folder of results.
        made: the files, as they are named from the working directory.
    """
    files = set(made)
    for record in _records(results, other_than=study):
        listed = _listed(record)
        if files & listed:
            _write(record, listed - files)
    own = results / "studies" / f"{study}.txt"
    _write(own, files | (_listed(own) if own.is_file() else set()))


def _records(results: Path, other_than: str) -> list[Path]:
    found = sorted((results / "studies").glob("*.txt"))
    return [record for record in found if record.stem != other_than]


def _listed(record: Path) -> set[str]:
    return set(record.read_text("utf-8").splitlines())


def _write(record: Path, files: Iterable[str]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    with whole(record) as part:
        part.write_text("".join(f"{file}\n" for file in sorted(files)), "utf-8")
