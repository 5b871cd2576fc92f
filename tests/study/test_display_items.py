"""What makes figures and tables: modules and entries that exist."""

import importlib

import pytest

from multirm.study.display_items import DisplayItem
from multirm.study.figures import FIGURES
from multirm.study.report_tables import REPORT_TABLES


def test_a_command_is_named_after_its_module() -> None:
    assert FIGURES["best_of_n"].command == "draw-accuracy-grid"
    assert FIGURES["best_of_n"].entry == "multirm.figures.accuracy_grid:draw_accuracy_grid"
    assert REPORT_TABLES["rewards"].command == "tabulate-reward-table"


@pytest.mark.parametrize("item", [*FIGURES.values(), *REPORT_TABLES.values()])
def test_each_has_its_entry(item: DisplayItem) -> None:
    module, name = item.entry.split(":")
    assert callable(getattr(importlib.import_module(module), name))
