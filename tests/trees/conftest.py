"""Trees of real solutions."""

from pathlib import Path

import pytest

from multirm.data.read import read_solutions
from multirm.formats.sources import Reader
from tests.data.conftest import write_solutions as write_solutions


@pytest.fixture(scope="package")
def gsm8k(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The solutions table of GSM8K's model solutions."""
    path = tmp_path_factory.mktemp("gsm8k") / "solutions.parquet"
    read_solutions(Reader.GSM8K, [str(shared_data / "gsm8k")], "GSM8K", "math", path)
    return path
