"""Where datasets are read from: files and folders below the study's data folder, and the hub."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from glob import glob
from pathlib import Path


class Reader(StrEnum):
    """The formats that solutions and questions are read from."""

    MMLU_PRO = "mmlu_pro"
    GSM8K = "gsm8k"
    VERSAPRM = "versaprm"
    VERSAPRM_CSV = "versaprm_csv"
    PRM800K = "prm800k"
    PRMBENCH = "prmbench"
    MATH_SHEPHERD = "math_shepherd"
    TRL = "trl"
    PROCESSBENCH = "processbench"
    MR_BEN = "mr_ben"
    BIGBENCH_MISTAKE = "bigbench_mistake"
    PUBLISHED = "published"

    @property
    def has_answers(self) -> bool:
        """Whether one can select among answers: there are pools, with parsed answers and reference answers."""
        return self in (
            *(Reader.MMLU_PRO, Reader.GSM8K, Reader.PUBLISHED),
            *(Reader.VERSAPRM, Reader.VERSAPRM_CSV),
        )

    @property
    def has_own_labels(self) -> bool:
        """Whether its files say more of steps than step labels can: only of some, or how likely they are right."""
        return self in (Reader.VERSAPRM, Reader.PRM800K, Reader.TRL)


_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LIKE_A_FILE = re.compile(r"\.(?:jsonl?|parquet|csv|ya?ml)$")


def is_hub_name(place: str, below: Path = Path()) -> bool:
    """Whether a place that does not exist here may be looked up on the hub: OWNER/NAME, without a local folder OWNER.

    If there is a folder `data`, `data/mine` means a folder, and its name must not be sent to the hub.

    Args:
        below: the folder that paths start from.
    """
    if not _HUB_NAME.fullmatch(place) or _LIKE_A_FILE.search(place):
        return False
    return not (below / place.partition("/")[0]).exists()


def places_of(reader: Reader, source: Sequence[str], data: Path, *files: str) -> list[Path | str]:
    """The places that a category of a dataset is read from: paths, and hub names as strings.

    A source that does not exist locally is a hub name if the reader supports the hub and `is_hub_name` holds;
    else it is a path, to be reported as missing below `data`.

    Args:
        reader: the format of the source.
        source: files and folders below `data` (wildcards allowed), and hub names.
        data: the study's data folder.
        files: names of the category's file in a folder in Multi-RM's layout, such as law_reward.json: the first that
            exists, else the last.
    """
    published = reader == Reader.PUBLISHED
    places: list[Path | str] = []
    for name in source:
        # Path.glob refuses absolute patterns.
        found = sorted(glob(name, root_dir=data, recursive=True))  # noqa: PTH207
        if not found and published and is_hub_name(name, data):
            places.append(name)
            continue
        for path in [data / each for each in found or [name]]:
            of_categories = published and path.is_dir() and any(path.glob("*.json"))
            places.append(_first_there(path, files) if of_categories else path)
    return places


def _first_there(folder: Path, names: Sequence[str]) -> Path:
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[-1])


def local_files(places: Iterable[Path | str]) -> list[Path]:
    """The files among some places and in their folders; hub names are left out."""
    files: list[Path] = []
    for place in places:
        if isinstance(place, Path) and place.is_dir():
            files += sorted(file for file in place.rglob("*") if file.is_file())
        elif isinstance(place, Path):
            files.append(place)
    return files
