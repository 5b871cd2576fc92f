"""Which tables for readers `all` has. A new one is a module of `multirm.report` and an entry here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multirm.tables.reward_models import Kind

if TYPE_CHECKING:
    from multirm.study.study import Study

FORMATS = ("parquet", "tex", "md", "csv")

Tables = dict[str, list[str]]

_RESULTS = "<results>"


@dataclass(frozen=True)
class ReportTable:
    """How a table for readers is made.

    Attributes:
        module: the module of `multirm.report` that makes it, with an entry `tabulate_MODULE`. Its caption in a
            report is workflow/report/MODULE.rst.
        says: what that module's command does.
        inputs: of a study or, for a table of each dataset, of a study and a dataset: what it is made from, by the
            command's options. A study where that is nothing has no such table.
        of_dataset: whether there is one for each dataset that is evaluated; else there is one for the study.
    """

    module: str
    says: str
    inputs: Callable[..., Tables]
    of_dataset: bool = False

    @property
    def command(self) -> str:
        return f"tabulate-{self.module.replace('_', '-')}"

    @property
    def entry(self) -> str:
        """The entry function of its command, as `package.module:function`."""
        return f"multirm.report.{self.module}:tabulate_{self.module}"

    def words(self, wildcards: object, input: Any) -> list[str]:
        """The options that name a job's inputs."""
        return [
            word
            for name in _OPTIONS[self.module]
            for word in (f"--{name.replace('_', '-')}", *map(_as_words(name), input[name]))
        ]
