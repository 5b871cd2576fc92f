"""Snakemake's messages about jobs, without lists of hundreds of files."""

import copy
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

MOST_FILES = 6
SHOWN_FILES = 3
LONGEST_COMMAND = 1000

# The parts of a job's reason that list files; the others name settings and code.
_LISTS = re.compile(
    r"(?P<title>(?:Missing output files|Incomplete output files|Updated input files"
    r"|Input files updated by another job): )(?P<files>[^;]*)"
)


class ShortMessages(logging.Formatter):
    """Formats records like another formatter, once long lists of files and commands in them are cut.

    Records themselves stay as they are: Snakemake's log file has all files.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        short = copy.copy(record)
        cuts: dict[str, Callable[[Any], Any]] = {
            "input": some_files,
            "output": some_files,
            "reason": short_reason,
            "shellcmd": short_command,
        }
        for name, cut in cuts.items():
            if whole := getattr(record, name, None):
                setattr(short, name, cut(whole))
        if record.levelno >= logging.ERROR and isinstance(record.msg, str):
            short.msg = short_command(record.msg)
        return self._inner.format(short)


def some_files(files: Sequence[str]) -> list[str]:
    """The first of many files, and how many more there are."""
    if len(files) <= MOST_FILES:
        return list(files)
    return [*files[:SHOWN_FILES], f"and {len(files) - SHOWN_FILES} more"]


def short_reason(reason: str) -> str:
    """Why a job runs, with the first of the files that it names."""
    return _LISTS.sub(
        lambda found: found["title"] + ", ".join(some_files(sorted(found["files"].split(", ")))),
        reason,
    )


def short_command(text: str) -> str:
    """A command, or an error about one, without its middle if it is long: which command it is, and how it ended."""
    if len(text) <= LONGEST_COMMAND:
        return text
    half = LONGEST_COMMAND // 2
    return f"{text[:half]} […] {text[-half:]}"


def shorten(logger: logging.Logger) -> None:
    """Cut what Snakemake prints; other handlers, such as its log file, get everything."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and handler.formatter is not None:
            handler.setFormatter(ShortMessages(handler.formatter))
