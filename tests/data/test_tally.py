"""Counts of what readers leave out: per category and reason, with the first place."""

import pytest

from multirm.data.tally import Tally


def test_counts_and_first_places(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally()
    tally.add("law", "empty steps left out", "f.json, row 2", 3)
    tally.add("law", "rows left out", "f.json, row 3")
    tally.add("law", "empty steps left out", "f.json, row 9")
    tally.add("law", "nothing at all", "f.json, row 9", 0)
    tally.add("math", "rows left out", "f.json, row 10")
    assert tally.of("law") == {"empty steps left out": 4, "rows left out": 1}
    assert tally.of("physics") == {}
    tally.warn("law")
    assert [record.getMessage() for record in caplog.records] == [
        "empty steps left out: 4, the first at f.json, row 2",
        "rows left out: 1, the first at f.json, row 3",
    ]
