"""The machine itself: store, disk, job database and clock."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from node.config import Config, masked
from node.doctor.check import Check, CheckResult, verdict
from node.jobs import server_time
from node.store import Store, open_store

# 2026-01-01: a clock that says less was never set.
_EARLIEST_S = 1767225600
# Beyond this, times in results and in the audit trail contradict each other.
_CLOCKS_DIFFER_S = 5.0
_GROWTH_DAYS, _SOON_DAYS = 7, 14
_OTHERS = 0o077


def store_checks(config: Config) -> Sequence[Check]:
    """Say whether the store is ours to write, and how long its disk lasts."""
    store = open_store(config.store)
    with TemporaryFile(dir=store.incoming) as probe:
        probe.write(b"probe")
    is_private = not store.root.stat().st_mode & _OTHERS
    advice = f"other users of this machine may look into it: chmod 700 {store.root}"
    return [verdict("store", is_private, f"{store.root} is writable", advice), _disk(config, store), _growth(config, store)]


def _disk(config: Config, store: Store) -> Check:
    free_mb, minimum_mb = store.free_mb(), config.reception.minimum_free_disk_mb
    message = f"{free_mb:.0f} MB free, minimum {minimum_mb} MB"
    if free_mb < minimum_mb:
        hint = "associations are rejected: free space or lower reception.minimum_free_disk_mb"
        return Check("disk", CheckResult.FAILED, f"{message}; {hint}")
    watermark_mb = config.retention.minimum_free_disk_mb
    advice = "retention frees space too late: raise retention.minimum_free_disk_mb above reception.minimum_free_disk_mb"
    return verdict("disk", watermark_mb == 0 or watermark_mb > minimum_mb or minimum_mb == 0, message, advice)


def _growth(config: Config, store: Store) -> Check:
    """Say when the disk is full if it goes on like this; what retention will delete is not foreseen."""
    daily_mb = store.received_mb(since=time.time() - _GROWTH_DAYS * 86400) / _GROWTH_DAYS
    rate = f"{daily_mb:.0f} MB a day over the last {_GROWTH_DAYS} days"
    if daily_mb < 1:
        return Check("growth", CheckResult.OK, rate)
    days = (store.free_mb() - config.reception.minimum_free_disk_mb) / daily_mb
    advice = "shorten retention, or add space"
    return verdict("growth", days >= _SOON_DAYS, f"{rate}; the minimum is reached in {days:.0f} days without retention", advice)


def database_checks(config: Config) -> Sequence[Check]:
    """Say whether the job database can be used, and whether its password stands where many read it."""
    if not config.database.startswith("sqlite:"):
        server_time(config.database)
        is_hidden = masked(config.database) == config.database or config.database_file is not None
        advice = "its password stands in the configuration: use database_file, PGPASSFILE or PGPASSWORD"
        return [verdict("database", is_hidden, f"{masked(config.database)} answers", advice)]
    folder = Path(config.database.removeprefix("sqlite:").removeprefix("///")).parent
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    with TemporaryFile(dir=existing) as probe:
        probe.write(b"probe")
    return [Check("database", CheckResult.OK, f"{folder} is writable")]


def clock_checks(config: Config) -> Sequence[Check]:
    """Compare our clock with what can be compared; peers have no service that tells the time."""
    now_s = time.time()
    if now_s < _EARLIEST_S:
        return [Check("clock", CheckResult.FAILED, "the clock is years behind; results would carry wrong dates: set it")]
    differences = {"the disk of the store": _file_time(open_store(config.store)) - now_s}
    if not config.database.startswith("sqlite:"):
        before_s = time.time()
        differences["the database server"] = server_time(config.database).timestamp() - (before_s + time.time()) / 2
    text = ", ".join(f"{abs(seconds):.1f} s from {name}" for name, seconds in differences.items())
    message = f"{time.strftime('%Y-%m-%d %H:%M:%S %z', time.localtime(now_s))}, {text}; peers cannot be asked"
    is_well = all(abs(seconds) < _CLOCKS_DIFFER_S for seconds in differences.values())
    return [verdict("clock", is_well, message, "run a time service (NTP) on all of them")]


def _file_time(store: Store) -> float:
    with NamedTemporaryFile(dir=store.incoming) as probe:
        os.utime(probe.name)
        return Path(probe.name).stat().st_mtime
