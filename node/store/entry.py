"""Small files of the store that other processes read: whole or not there."""

import os
import uuid
from pathlib import Path


def write_entry(path: Path, text: str) -> None:
    """Write ASCII text so that a reader sees the old or the new whole; it is on disk when this returns."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")  # of our own: another process may write the same entry
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
