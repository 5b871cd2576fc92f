"""Render a chat template, which is untrusted code, in a process of its own with limits on time and memory.

Run as a script, with only Jinja and the standard library: it reads a JSON request on stdin and writes a JSON reply
to stdout. The Jinja environment has the sandbox, names and tags of transformers', but a fixed date.
"""

import json
import resource
import sys
from contextlib import suppress
from datetime import date
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

# The date given to templates that ask for today's; the default in Llama's templates.
DATE = date(2024, 7, 26)

SECONDS = 5
BYTES = 2**30
# Limit on the characters of a rendered text.
LETTERS = 1_000_000
# Characters of a template's own error message that are shown.
_SHOWN = 200


class _Generation(Extension):
    """`{% generation %}`, which marks the assistant's text for transformers; here it has no effect."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def render(request: dict[str, Any]) -> dict[str, Any]:
    """Render a template for each of some user turns, as a conversation of its own.

    Args:
        request: `template`; `contents`, the user turns; `variables`, the other names that the template may use.

    Returns:
        `texts`, one per content, and `is_dated`, whether the template asked for the date; or `error`.
    """
    asked = []

    def strftime_now(form: str) -> str:
        asked.append(form)
        return DATE.strftime(form)

    def raise_exception(message: object) -> None:
        raise TemplateError(str(message))

    def to_json(value: object, ensure_ascii: bool = False, **settings: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **settings)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals |= {"raise_exception": raise_exception, "strftime_now": strftime_now}
    try:
        template = environment.from_string(request["template"])
        texts = [
            template.render(
                messages=[{"role": "user", "content": content}],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **request["variables"],
            )
            for content in request["contents"]
        ]
    except MemoryError:
        return {"error": f"one that needs over {BYTES >> 20} MB of memory"}
    except TemplateSyntaxError as error:
        return {"error": f"line {error.lineno}: {str(error)[:_SHOWN]}"}
    # An untrusted program can raise anything.
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:_SHOWN]}"}
    if max(map(len, texts)) > LETTERS:
        return {"error": f"one that writes over {LETTERS:,} characters"}
    return {"texts": texts, "is_dated": bool(asked)}


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    # Not every system supports these limits.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    json.dump(render(request), sys.stdout)


if __name__ == "__main__":
    main()
