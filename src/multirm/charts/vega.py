"""Vega's JavaScript, which every page of a figure has in it."""

import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import vl_convert

from multirm.errors import InputError
from multirm.running.files import whole


def script(cache: Path | None) -> str:
    """Vega, Vega-Lite and Vega-Embed as one script.

    Bundling takes a second, longer than anything else in drawing a figure. So the script is kept in a file, named
    after the version that bundled it; where it cannot be kept, it is bundled each time.

    Args:
        cache: a folder, which need not exist; None to keep nothing.
    """
    kept = cache / f"vega-of-vl-convert-{version('vl-convert-python')}.js" if cache else None
    if kept:
        with suppress(OSError, UnicodeDecodeError):
            return kept.read_text(encoding="utf-8")
    bundled = str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # It has a default.
    if kept:
        with suppress(OSError, InputError), whole(kept) as part:
            part.write_text(bundled, encoding="utf-8")
    return bundled


def user_cache() -> Path | None:
    """The user's folder for files that can be made again, in XDG_CACHE_HOME or ~/.cache; None without a home."""
    with suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "multirm"
    return None
