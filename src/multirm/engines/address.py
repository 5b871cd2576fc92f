"""How a study says where a server is. Keys and passwords are no part of it: a study is there to be shown."""

ADDRESS = r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$"
