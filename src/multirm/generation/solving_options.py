"""How a policy is asked to answer questions: after which exemplars, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from multirm.errors import InputError
from multirm.running.numbers import CountOrZero
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from multirm.text.solving import (
    SolveTemplates,
    choose_exemplars,
    load_solve_templates,
    solve_template_files,
    solve_turns,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Solving:
    """What a policy is shown before and around a question.

    Attributes:
        templates: the user turns.
        exemplars: rows of solutions tables.
        shots: exemplars per prompt.
    """

    templates: SolveTemplates
    exemplars: Sequence[Row]
    shots: int

    def turns(self, question: Row) -> list[str]:
        """The turns of a conversation that ends with a question to answer.

        Args:
            question: a row of a table of questions or of solutions.

        Raises:
            InputError: its category lacks exemplars.
        """
        chosen = choose_exemplars(self.exemplars, question, self.shots, "--exemplars")
        return solve_turns(self.templates, chosen, question)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SolvingOptions:
    """Exemplars and templates.

    Attributes:
        exemplars: solutions tables, whose correct solutions are shown as examples.
        shots: exemplars per prompt, all of the question's category; 0 for none.
        template: template of the user turn for questions with options; by default, the package's own.
        open_template: likewise for questions without options.
    """

    exemplars: list[Path] | None = None
    shots: CountOrZero = 5
    template: Path | None = None
    open_template: Path | None = None

    @property
    def files(self) -> list[Path]:
        """The files that prompts are made from, each once."""
        templates = solve_template_files(self.template, self.open_template)
        return [*(self.exemplars or []), *dict.fromkeys(templates)]

    def load(self) -> Solving:
        """Read the templates and the exemplars.

        Raises:
            InputError: a template cannot be used, or there are no exemplars although some are to be shown, or some
                although none are.
        """
        templates = load_solve_templates(*solve_template_files(self.template, self.open_template))
        if bool(self.exemplars) != bool(self.shots):
            raise InputError(
                "--exemplars",
                expected="tables of solutions to show as examples, or --shots 0",
                found=f"{'some' if self.exemplars else 'none'} and --shots {self.shots}",
            )
        rows = parquet.read_all(self.exemplars or [], SOLUTIONS).to_pylist()
        return Solving(templates, rows, self.shots)


DEFAULT_SOLVING = SolvingOptions()
