"""Commands of multirm without the seconds that every process needs to import torch: run by the kill tests.

Reads a JSON list per line: seconds until SIGKILL (null for never), a file for the command's log, and its
arguments. Forks a process that runs the command, and answers with its exit code (-9 if it was killed) and
with the seconds that it took.
"""

import json
import os
import signal
import sys
import time

import torch  # noqa: F401
import transformers.models.llama.modeling_llama  # noqa: F401

import multirm.critiques.generate
import multirm.engines.transformers
import multirm.scoring.discriminative
import multirm.scoring.generative  # noqa: F401
from multirm.cli import main


def run(log: str, arguments: list[str]) -> None:
    """In the forked process: the command, as from a shell."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stderr.fileno())
    sys.argv = ["multirm", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stderr.flush()
    os._exit(code)


def wait(process: int, seconds: float | None, started: float) -> int:
    while not (ended := os.waitpid(process, os.WNOHANG))[0]:
        if seconds is not None and time.monotonic() - started >= seconds:
            os.kill(process, signal.SIGKILL)
            ended = os.waitpid(process, 0)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1])


for line in sys.stdin:
    seconds, log, arguments = json.loads(line)
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        run(log, arguments)
    code = wait(process, seconds, started)
    answer = json.dumps([code, time.monotonic() - started])
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()
