"""What is made for readers, a figure or a table, by a module of its own."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class DisplayItem:
    """How a figure or a table is made.

    Attributes:
        module: the module of the package that makes it, with an entry VERB_MODULE. Its caption in a report is
            workflow/report/MODULE.rst.
        says: what that module's command does.
    """

    package: ClassVar[str]
    """The package below `multirm` that has the modules."""
    verb: ClassVar[str]

    module: str
    says: str

    @property
    def command(self) -> str:
        return f"{self.verb}-{self.module.replace('_', '-')}"

    @property
    def entry(self) -> str:
        """The entry function of its command, as `package.module:function`."""
        return f"multirm.{self.package}.{self.module}:{self.verb}_{self.module}"
