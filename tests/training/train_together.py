"""Run by the tests in several processes at once: trainings given as JSON, one after the other.

python train_together.py TRAININGS [STEP]

Each has the command and its arguments. With STEP the last process dies once it has trained so many steps.
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from multirm.cli import COMMANDS, build_app
from multirm.errors import InputError
from multirm.training import run
from multirm.training.processes import processes


def die_at(step: int) -> None:
    """Let the last process be killed at the end of a step."""

    class Dying(run._Lines):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == step and processes().is_last_process:
                os.kill(os.getpid(), signal.SIGKILL)

    run._Lines = Dying  # type: ignore[misc]


def main(trainings: Path, step: str | None = None) -> None:
    logging.basicConfig(level=logging.INFO)
    if step:
        die_at(int(step))
    app = build_app()
    for arguments in json.loads(trainings.read_text()):
        assert arguments[0] in COMMANDS["Training"]
        try:
            app(arguments, exit_on_error=False, result_action="return_value")
        except InputError as error:
            sys.stdout.write(f"process {processes().process_index} refused: {error}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
