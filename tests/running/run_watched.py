"""Run multirm commands in one process, and record which definitions of the package each of them runs.

python run_watched.py COMMANDS.json FOUND.json
"""

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import multirm
from multirm.cli import main

# An engine that has its own environment; code that only starts a command, or digests code.
ABSENT = ("multirm.engines.vllm",)
STATEMENTS = str(Path("running", "statements.py"))
# It listens to what a job logs.
HEARTBEAT = str(Path("running", "heartbeat.py"))
STARTER, COMMAND_LINE = str(Path("running", "arguments.py")), str(Path("multirm", "cli.py"))
UNCOUNTED = ("running.arguments", "running.code", "running.statements")
SOURCE = str(Path(multirm.__file__).parent)


def import_all() -> None:
    """Import every module, so that later only calls are recorded."""
    for found in pkgutil.walk_packages(multirm.__path__, "multirm."):
        if not found.name.startswith(ABSENT) and not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def is_of_the_job(frame: FrameType | None) -> bool:
    """Whether a frame belongs to an entry function, called by `arguments.entry`.

    It does not if it checks arguments, logs, or keeps what it parsed of the code itself.
    """
    while frame is not None:
        if frame.f_code.co_filename.endswith((COMMAND_LINE, HEARTBEAT, STATEMENTS)):
            return False
        if frame.f_code.co_filename.endswith(STARTER):
            return frame.f_code.co_name == "checked"
        frame = frame.f_back
    return False


def run(arguments: list[str]) -> list[tuple[str, str]]:
    """Run a command, and return the top-level definitions that it ran, by module."""
    ran: set[tuple[str, str]] = set()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(SOURCE):
            module = Path(code.co_filename).relative_to(SOURCE).with_suffix("").as_posix()
            name = (module.replace("/", "."), code.co_qualname.split(".")[0])
            if name[0] not in UNCOUNTED and name not in ran and is_of_the_job(frame):
                ran.add(name)

    sys.setprofile(watch)
    try:
        main(arguments)
    finally:
        sys.setprofile(None)
    return sorted(ran)


if __name__ == "__main__":
    import_all()
    commands = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([run(command) for command in commands]))
