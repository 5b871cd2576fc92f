"""Where the results of a study are: the setting `results`, and what commands take for it that are given none."""

import os
from pathlib import Path, PurePosixPath

import yaml

from multirm.errors import InputError

DEFAULT = "results"

# What Snakemake runs without --configfile.
DEFAULT_STUDY = Path("config/config.yaml")


def a_folder_below(results: str) -> str:
    """A results folder as paths in it begin: without redundant parts.

    Raises:
        ValueError: it is not below the working directory, or Snakemake would take part of it for something else.
    """
    parts = PurePosixPath(results).parts
    if results.startswith(("/", "~")) or ".." in parts or not parts:
        raise ValueError(
            f"{results!r} is not a folder below the working directory; for one elsewhere, make a link to it"
        )
    if set("{}<>*?[]") & set(results) or not results.isprintable():
        raise ValueError(f"{results!r} has characters that patterns of file names are made of")
    return os.path.normpath(results)


def results_folder(given: Path | None) -> Path:
    """The results folder of a command: as given, or that of the study that Snakemake runs if it is given none.

    Files that are no study are not reported here.
    """
    return given or Path(_named_in(DEFAULT_STUDY) or DEFAULT)


def folder_of_tables(given: Path | None) -> Path:
    """The results folder of a command that reads tables there.

    Raises:
        InputError: there is no such folder.
    """
    results = results_folder(given)
    if not results.is_dir():
        raise InputError(
            results,
            expected="a folder of tables",
            found="no such folder",
            remedy="" if given else "say where they are: --results=FOLDER",
        )
    return results


def _named_in(study: Path) -> str | None:
    """The setting `results` of a study, if it has one."""
    try:
        content = yaml.safe_load(study.read_text("utf-8-sig"))
        return a_folder_below(content["results"])
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        return None
