"""Which study made a file, if several studies share a results folder.

Studies may share files that are the same in both, and each may remake its own. This prevents a study from silently
overwriting files that another made under the same names with other settings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from multirm.errors import InputError
from multirm.running.files import whole
from multirm.study.results_folder import DEFAULT

# Lines of records that are not files of the study.
_FOLDER, _STUDY = "# results in: ", "# study in: "

PAGE = "report.html"
"""The one file that every study makes under the same name: it shows the study that ran last. It is made from the others
in little time, so replacing it loses nothing, and studies that share all else may share their folder."""


@dataclass(frozen=True)
class Owner:
    """A study that makes files.

    Attributes:
        study: its name.
        files: where it is written; edits of them do not make it another study.
        results: its results folder, where each study lists the files that it made.
    """

    study: str
    files: Sequence[str]
    results: Path

    @property
    def record(self) -> Path:
        """The list of files that it made."""
        return self.results / "studies" / f"{self.study}.txt"


def check_owners(owner: Owner, replaced: Iterable[str]) -> None:
    """Refuse to replace another study's results.

    Args:
        owner: the study that is about to run.
        replaced: existing files that its jobs would make differently. The page may be another study's.

    Raises:
        InputError: another study made one of them, also one of the same name that is in another file.
    """
    wanted = {_within(owner.results, file): file for file in replaced}
    wanted.pop(PAGE, None)
    remedy = f"give one of them another folder (`results: {owner.results}-{owner.study}` in its file), or delete these"
    for record in _records(owner.results, other_than=owner.study):
        _refuse(
            owner, record, wanted, f"what the study {record.stem} made with other settings", remedy
        )
    namesake = _namesake(owner)
    if namesake:
        found = f"what {namesake} made, which has a study of the same name"
        _refuse(owner, owner.record, wanted, found, f"give one of them another name, and {remedy}")


def _refuse(owner: Owner, record: Path, wanted: dict[str, str], found: str, remedy: str) -> None:
    theirs = sorted(wanted.keys() & _listed(record))
    if theirs:
        more = f" and {len(theirs) - 1} more" if theirs[1:] else ""
        expected = f"what the study {owner.study} made"
        raise InputError(
            f"{wanted[theirs[0]]}{more}", expected=expected, found=found, remedy=remedy
        )


def note_owner(owner: Owner, made: Iterable[str]) -> None:
    """Record that a study makes some files, whoever made them before."""
    files = {_within(owner.results, file) for file in made}
    for record in _records(owner.results, other_than=owner.study):
        listed = _listed(record)
        if files & listed:
            _write(record, listed - files, _noted(record, _FOLDER), _noted(record, _STUDY))
    before = _listed(owner.record) if owner.record.is_file() else set()
    _write(owner.record, files | before, [str(owner.results)], owner.files)


def other_studies(study: str, results: Path) -> list[str]:
    """The names of other studies that have made something in a results folder."""
    return [each.stem for each in _records(results, other_than=study) if _listed(each)]


def names_of(results: Path) -> list[str]:
    """What a results folder was called by the studies that made it: names of their files begin with one of these."""
    found = [name for record in _records(results) for name in _noted(record, _FOLDER)]
    return list(dict.fromkeys([*found, DEFAULT]))


def _namesake(owner: Owner) -> str | None:
    """Another file that still has a study of this name, which made what this one has listed."""
    noted = _noted(owner.record, _STUDY) if owner.record.is_file() else []
    if not noted or set(noted) & set(map(str, owner.files)):
        return None
    return next((file for file in noted if _name_in(file) == owner.study), None)


def _name_in(file: str) -> str | None:
    """The name of the study in a file; None if there is none any more."""
    try:
        found = yaml.safe_load(Path(file).read_text("utf-8-sig"))
        return str(found["study"])
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        return None


def _within(results: Path, file: str) -> str:
    """A file's path in the results folder, which may have another name another time."""
    path = Path(file)
    return str(path.relative_to(results)) if path.is_relative_to(results) else file


def _records(results: Path, other_than: str = "") -> list[Path]:
    found = sorted((results / "studies").glob("*.txt"))
    return [record for record in found if record.stem != other_than]


def _listed(record: Path) -> set[str]:
    """The files in a record, relative to the results folder; earlier ones begin with its name."""
    lines = record.read_text("utf-8").splitlines()
    return {line.removeprefix(f"{DEFAULT}/") for line in lines if not line.startswith("# ")}


def _noted(record: Path, mark: str) -> list[str]:
    lines = record.read_text("utf-8").splitlines()
    return [line.removeprefix(mark) for line in lines if line.startswith(mark)]


def _write(
    record: Path, files: Iterable[str], folders: Iterable[str], studies: Iterable[object]
) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{_FOLDER}{folder}" for folder in folders]
    lines += [f"{_STUDY}{study}" for study in studies]
    with whole(record) as part:
        part.write_text("".join(f"{line}\n" for line in [*lines, *sorted(files)]), "utf-8")
