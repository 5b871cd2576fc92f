"""Where tables, journals and models come from that tests make by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from multirm.running.provenance import Origin, origin_of


def made_of(parameters: Mapping[str, Any] | None = None, inputs: Iterable[Path] = ()) -> Origin:
    """The origin of what was made with some parameters from some inputs."""
    return origin_of("multirm.tables.parquet", parameters or {}, inputs)
