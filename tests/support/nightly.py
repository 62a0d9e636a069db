"""How many: a small sample in every run, the full count where ``make nightly`` sets NIGHTLY."""

import os
import sys

import pytest


def times(sample: int, nightly: int) -> int:
    """Return the sample, or the full count at night."""
    return nightly if os.environ.get("NIGHTLY") else sample


def tell(what: str, **counts: object) -> None:
    """Print the counts of a test; ``make nightly`` shows them."""
    sys.stdout.write(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items()) + "\n")


at_night = pytest.mark.skipif(not os.environ.get("NIGHTLY"), reason="takes minutes: `make nightly` runs it")
