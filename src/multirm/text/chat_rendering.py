"""Renders a chat template, in a process of its own with little time and memory: a template is a stranger's program.

Run as a script, with nothing but Jinja and the standard library. A request in JSON comes in on stdin, and
what became of it goes out on stdout, in JSON too. The environment is that of transformers: its sandbox, its
names and its tags, but for the clock.
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

# The day that templates are told when they ask for today's, as Llama's are where there is no clock.
DATE = date(2024, 7, 26)

SECONDS = 5
BYTES = 2**30
# Of all that is said around a user's words.
LETTERS = 1_000_000
# Of a template's own words, in messages.
_SHOWN = 200


class _Generation(Extension):
    """`{% generation %}`, by which transformers finds what an assistant said; here it says nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def render(request: dict[str, Any]) -> dict[str, Any]:
    """What a template makes of some user turns, each of them a conversation.

    Args:
        request: `template`; `contents`, the user turns; `variables`, the other names that the template may use.

    Returns:
        `texts`, one per content, and `is_dated`, whether the date was asked for; or the `error`.
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
        return {"error": f"one that takes over {BYTES >> 20} MB of memory"}
    except TemplateSyntaxError as error:
        return {"error": f"line {error.lineno}: {str(error)[:_SHOWN]}"}
    # Of a program anything can come.
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:_SHOWN]}"}
    if max(map(len, texts)) > LETTERS:
        return {"error": f"one that says over {LETTERS:,} letters"}
    return {"texts": texts, "is_dated": bool(asked)}


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    # Not every system has these limits.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    json.dump(render(request), sys.stdout)


if __name__ == "__main__":
    main()
