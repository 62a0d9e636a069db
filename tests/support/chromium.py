"""A headless Chromium that asks nothing but this machine, and pictures of its screen for whoever reads the results of CI."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.external import require_tool
from tests.support.neighbours import require_package

if TYPE_CHECKING:  # a laptop without Playwright skips these tests
    from playwright.sync_api import Browser, Page

_ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 60_000
_FLAGS = [
    "--headless=new",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
]
#: No name is looked up and no address but loopback is asked.
_LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextmanager
def running_chromium() -> Iterator["Browser"]:
    """Run a Chromium until the block is left."""
    require_package("playwright")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - see require_package

    chromium = require_tool("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, chromium_sandbox=False, args=[*_FLAGS, _LOOPBACK_ONLY], timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            browser.close()


def keep_screen(page: "Page", name: str, *, full_page: bool = False) -> None:
    """Keep a picture of the screen, or of the whole page."""
    folder = _ROOT / os.environ.get("CI_ARTIFACTS", ".artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=full_page)
