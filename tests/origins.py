"""Origins of tables, journals and models that tests make by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from multirm.running.provenance import Origin, origin_of


def made_of(parameters: Mapping[str, Any] | None = None, inputs: Iterable[Path] = ()) -> Origin:
    """An origin with some parameters and inputs."""
    return origin_of("multirm.tables.parquet", parameters or {}, inputs)
