"""The OHIF viewer in a headless Chromium, in front of an Orthanc: what a radiologist sees of a study."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.support.chromium import PATIENCE_MS, keep_screen, running_chromium
from tests.support.neighbours import neighbour
from tests.support.viewer_server import serving_viewer

if TYPE_CHECKING:  # a laptop without Playwright skips these tests
    from playwright.sync_api import Browser, Page

_IN_PAGE = Path(__file__).parent / "javascript" / "viewer.js"
_EDGE = 40


@dataclass(frozen=True)
class Viewer:
    """A study opened in OHIF; ``errors`` are the uncaught ones of its page."""

    page: "Page"
    errors: list[str] = field(default_factory=list)

    def ask(self, question: str, *arguments: object) -> Any:
        """Return the answer of one of the functions of ``viewer.js``."""
        return self.page.evaluate("([question, given]) => seen[question](...given)", [question, arguments])

    def open_series(self, description: str) -> None:
        """Open a series by a double click on its line in the list of series."""
        self.page.get_by_text(description, exact=True).first.dblclick()

    def accept(self) -> None:
        """Answer Yes to the question whether to load a segmentation."""
        self.page.get_by_role("button", name="Yes").click()

    def picture(self) -> np.ndarray:
        """Return the screen, [row, column, RGB]."""
        with Image.open(BytesIO(self.page.screenshot())) as screen:
            return np.asarray(screen.convert("RGB")).astype(int)

    def pixels_of(self, points: np.ndarray) -> np.ndarray:
        """Return the screen's (column, row) of points of the patient, shape (n, 3), in mm."""
        return np.array(self.ask("onScreen", points.tolist())).reshape(-1, 2)

    def uncovered(self, pixels: np.ndarray) -> np.ndarray:
        """Return those of some (column, row) that no text at the edge of the viewport can cover."""
        left, top, right, bottom = self.ask("bounds")
        inside = (pixels > (left + _EDGE, top + _EDGE)) & (pixels < (right - _EDGE, bottom - _EDGE))
        return pixels[inside.all(axis=1)]

    def wait_for(self, condition: str, *arguments: object) -> None:
        """Return when a JavaScript expression of ``given`` holds."""
        self.page.wait_for_function(f"given => {condition}", arg=arguments, timeout=PATIENCE_MS)

    def keep(self, name: str) -> None:
        """Keep a picture of the screen for whoever reads the results of CI."""
        keep_screen(self.page, name)


@dataclass(frozen=True)
class Ohif:
    """OHIF and the browser that it is opened in."""

    address: str
    browser: "Browser"

    @contextmanager
    def study(self, uid: str) -> Iterator[Viewer]:
        """Open a study in a fresh profile and yield it when its first image is on the screen."""
        context = self.browser.new_context(viewport={"width": 1400, "height": 900}, service_workers="block")
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(path=_IN_PAGE)
        try:
            viewer = Viewer(context.new_page())
            viewer.page.on("pageerror", lambda error: viewer.errors.append(str(error)))
            viewer.page.goto(f"{self.address}/viewer?StudyInstanceUIDs={uid}")
            viewer.page.wait_for_selector(".cornerstone-canvas")
            yield viewer
        finally:
            context.close()


@contextmanager
def running_ohif(pacs_port: int) -> Iterator[Ohif]:
    """Serve OHIF and run a Chromium until the block is left."""
    with running_chromium() as browser, serving_viewer(neighbour("ohif"), pacs_port) as address:
        yield Ohif(address, browser)
