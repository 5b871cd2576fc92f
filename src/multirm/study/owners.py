"""Which study made a file, if several studies share a results folder.

Studies may share files that are the same in both, and each may remake its own. This prevents a study from silently
overwriting files that another made under the same names with other settings.
"""

from collections.abc import Iterable
from pathlib import Path

from multirm.errors import InputError
from multirm.running.files import whole


def check_owners(study: str, results: Path, replaced: Iterable[str]) -> None:
    """Refuse to replace another study's results.

    Args:
        study: the name of the study that is about to run; edits do not change it.
        results: the results folder, where each study lists the files it made.
        replaced: existing files that jobs with other settings or inputs would replace.

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
    """Record that a study makes some files, whoever made them before.

    Args:
        study: its name.
        results: the results folder.
        made: the files, relative to the working directory.
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
