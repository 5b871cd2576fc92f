"""Figures as files, whole or not at all, each with the words that say what it was drawn from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.figures.render import Figure, rendered
from multirm.running.files import whole_together
from multirm.running.metadata import FORMATS, with_text
from multirm.running.provenance import origin_of, to_text


def check_formats(output: Sequence[Path]) -> None:
    """Refuse files whose suffix is not that of a figure, before anything is drawn.

    Raises:
        InputError: another suffix than those of `FORMATS`.
    """
    for path in output:
        if path.suffix not in FORMATS:
            raise InputError(
                path, expected=f"one of {', '.join(FORMATS)}", found=shown(path.suffix)
            )


def write_figure(
    figure: Figure,
    output: Sequence[Path],
    module: str,
    parameters: Mapping[str, Any],
    inputs: Sequence[Path],
) -> None:
    """Write a figure to files, whose suffixes say their formats.

    Args:
        module: the module that draws it: `__name__` there.
        parameters: what it was drawn with, apart from the inputs.
        inputs: the files that it was drawn from.

    Raises:
        InputError: a file that cannot be written.
    """
    origin = to_text(f"figure {module.rpartition('.')[2]}", origin_of(module, parameters, inputs))
    drawn = rendered(figure, {path.suffix for path in output})
    with whole_together(output) as parts:
        for path, part in zip(output, parts, strict=True):
            part.write_bytes(with_text(drawn[path.suffix], path.suffix, origin))
