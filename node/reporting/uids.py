"""UIDs that follow from content: the same analysis always gives the same ones."""

import hashlib


def derived_uid(fingerprint: str, kind: str) -> str:
    """Return the UID under 2.25 (PS3.5 section B.2) that belongs to a fingerprint and a kind of thing.

    Parameters
    ----------
    fingerprint
        What identifies the content; holds no patient data.
    kind
        What the UID is for, unique within the fingerprint.
    """
    digest = hashlib.sha256(f"{fingerprint}/{kind}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
