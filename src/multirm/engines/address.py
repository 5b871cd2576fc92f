"""Addresses of servers in a study. They contain no keys or passwords, because studies are shared."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_FORM = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
_LONGEST = 2000


def is_address(text: str) -> bool:
    """Whether `text` is the address of a server, such as http://127.0.0.1:8000/v1, without a secret in it."""
    if not (text.isascii() and text.isprintable() and _FORM.fullmatch(text)):
        return False
    try:
        parts = urlsplit(text)
        if "[" in parts.netloc or re.fullmatch(r"[\d.]+", parts.hostname or ""):
            ip_address(parts.hostname or "")
        return bool(parts.hostname) and parts.port != 0 and len(text) <= _LONGEST
    # Invalid hosts and ports.
    except ValueError:
        return False
