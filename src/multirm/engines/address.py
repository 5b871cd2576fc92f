"""How a study says where a server is. Keys and passwords are no part of it: a study is there to be shown."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_FORM = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
_LONGEST = 2000


def is_address(text: str) -> bool:
    """Whether `text` is the address of a server, such as http://127.0.0.1:8000/v1, with no secret in it."""
    if not (text.isascii() and text.isprintable() and _FORM.fullmatch(text)):
        return False
    try:
        parts = urlsplit(text)
        if "[" in parts.netloc or re.fullmatch(r"[\d.]+", parts.hostname or ""):
            ip_address(parts.hostname or "")
        return bool(parts.hostname) and parts.port != 0 and len(text) <= _LONGEST
    # Numbers that are none of a host or a port.
    except ValueError:
        return False
