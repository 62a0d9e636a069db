"""Passwords never leave the configuration: what is printed or logged shows that there is one, not which."""

import re

# user:password@ of a URL; a password may hold anything but what ends the authority of a URL.
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/]*@|([?&;]password=)[^\s&;]*", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text with the password of each URL in it replaced by ``***``."""
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)
