"""Batch services as tests play them: job files are read, and result files written as the services document them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def lines_of(*files: Path) -> list[Line]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def jobs(folder: Path) -> list[Path]:
    """All job files, in the order in which they were written."""
    every = [*(folder / "jobs").iterdir(), *(folder / "started").iterdir()]
    return sorted(every, key=lambda path: path.name)


def id_of(line: Line) -> str:
    """Of a line of a job file or of a result file."""
    found: str = line.get("custom_id") or line["recordId"]
    return found


def described(folder: Path) -> dict[str, Line]:
    """What is said about each record, by its id."""
    return {line["id"]: line for line in lines_of(*sorted((folder / "records").iterdir()))}


def put(folder: Path, name: str, lines: Iterable[Line]) -> Path:
    path = folder / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def replied(line: Line, text: str, reason: str = "stop") -> Line:
    """The result of a record, as its service documents it."""
    if "recordId" in line:
        output = {"generation": text, "prompt_token_count": 9, "generation_token_count": 7}
        return {**line, "modelOutput": {**output, "stop_reason": reason}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
    body = {"id": "c", "choices": [{**choice, "finish_reason": reason}], "usage": usage}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}


def failed(line: Line) -> Line:
    if "recordId" in line:
        return {**line, "error": {"errorCode": 429, "errorMessage": "too \x1b[31m many"}}
    error = {"code": "batch_expired", "message": "too \x1b[31m late"}
    return {"id": "b", "custom_id": line["custom_id"], "response": None, "error": error}
