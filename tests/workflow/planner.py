"""Run Snakemake many times: each run is a process forked from one that has imported Snakemake, which takes seconds.

Reads from stdin a line of JSON for each run, [folder, file for all output, arguments of snakemake ...], and answers
with a line with its exit status.
"""

import json
import os
import sys

import pyarrow.compute  # noqa: F401 (the study's package needs it; itself, it is imported anew from each folder)
import pydantic  # noqa: F401
from snakemake.cli import get_argument_parser, main

# Find the plugins once.
get_argument_parser()

for line in sys.stdin:
    folder, output, *arguments = json.loads(line)
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, sys.stdout.fileno())
        os.dup2(written, sys.stderr.fileno())
        main(arguments)
        raise AssertionError("main exits")
    _, status = os.waitpid(process, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
    sys.stdout.flush()
