"""Run training jobs given as JSON, one after the other; started by tests in several processes at once.

python train_together.py TRAININGS [STEP]

Each job has a command and its arguments. With STEP, the last process dies after that many steps.
"""

import itertools
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from multirm.cli import COMMANDS, build_app
from multirm.errors import InputError
from multirm.training.processes import processes


def die_at(step: int) -> None:
    """Kill the last process after a number of steps."""
    taken = itertools.count(1)

    def after_step(*_: Any) -> None:
        if next(taken) == step and processes().is_last_process:
            os.kill(os.getpid(), signal.SIGKILL)

    register_optimizer_step_post_hook(after_step)


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
