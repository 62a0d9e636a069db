"""The pages in a real Chromium: live state, images, buttons, keyboard, dark, Chinese, and axe-core on each of them."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from node.domain.anatomy import Corner, Landmark, Vertebra
from node.web.pages import PAGES
from tests.support.analyses import Scene
from tests.support.chromium import keep_screen, running_chromium
from tests.support.neighbours import neighbour
from tests.support.web_world import DEAD, DECLINED, DELIVERED, FAILED, WebWorld, running_web
from tools.phantom.series import Subject

if TYPE_CHECKING:  # a laptop without Playwright skips these tests
    from playwright.sync_api import Browser, Page

SUBJECT = Subject("browser", accession_number="A-2026-0001")
_PATIENCE_MS = 30_000
_SERIOUS = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  const heavy = found.violations.filter(one => ["serious", "critical"].includes(one.impact));
  return heavy.map(one => `${one.id}: ${one.nodes.map(node => node.html + " " + node.any.map(any => any.message)).join(" | ")}`);
}"""


@dataclass
class Site:
    """A node with studies in every state, and a browser."""

    world: WebWorld
    port: int
    browser: "Browser"
    sound: str
    broken: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Screen:
    """One page of a fresh profile; ``errors`` are what its console says, among them what the security policy blocks."""

    page: "Page"
    site: Site
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> "Page":
        self.page.goto(self.site.address + path)
        return self.page

    def choose(self, language: str, theme: str) -> None:
        self.page.select_option("select[name=language]", language)
        self.page.select_option("select[name=theme]", theme)
        with self.page.expect_navigation():
            self.page.locator("form.preferences button").click()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    world = WebWorld(
        tmp_path_factory.mktemp("browser"),
        {"web": {"viewer_url": "https://pacs.example/viewer?StudyInstanceUIDs={study_instance_uid}"}},
    )
    sound = world.measured(Scene(subject=SUBJECT), DELIVERED)
    missing = [Landmark(Vertebra.C7, corner) for corner in Corner]
    subject = replace(SUBJECT, key="browser broken", accession_number="A-2026-0002")
    broken = world.measured(Scene(subject=subject, missing=missing), DEAD)
    world.ended("2.25.11", DECLINED)
    world.ended("2.25.12", FAILED)
    with running_chromium() as browser, running_web(world.config) as port:
        yield Site(world, port, browser, sound, broken)


@pytest.fixture
def screen(site: Site) -> Iterator[Screen]:
    context = site.browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(_PATIENCE_MS)
    context.add_init_script(path=neighbour("node_modules") / "axe-core" / "axe.min.js")
    screen = Screen(context.new_page(), site)
    screen.page.on("pageerror", lambda error: screen.errors.append(str(error)))
    screen.page.on("console", lambda said: screen.errors.append(said.text) if said.type in ("error", "warning") else None)
    try:
        yield screen
        assert screen.errors == []
    finally:
        context.close()


def test_the_worklist_shows_a_new_study_without_reloading(site: Site, screen: Screen):
    page = screen.open("/studies")
    keep_screen(page, "web-worklist")
    page.evaluate("window.stays = true")
    site.world.announce("2.25.20")
    page.locator("#studies").get_by_text("2.25.20").wait_for()
    assert page.evaluate("window.stays")
    page.select_option("select[name=state]", "declined")
    page.get_by_role("button", name="Filter").click()
    assert page.locator("table.list a.uid").all_inner_texts() == ["2.25.11"]


def test_a_study_is_opened_its_slices_browsed_and_its_outlines_switched(site: Site, screen: Screen):
    page = screen.open("/studies")
    page.get_by_text(site.sound, exact=True).click()
    assert page.title().startswith("A-2026-0001")
    assert page.get_by_role("link", name="Open in the viewer").get_attribute("href") == (
        f"https://pacs.example/viewer?StudyInstanceUIDs={site.sound}"
    )
    first, second = page.locator("figure.browser").all()
    slices = int(second.get_attribute("data-slices") or 0)
    slider = second.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    for number in range(1, slices + 1):
        second.get_by_text(f"slice {number} of {slices}").wait_for()
        page.keyboard.press("ArrowRight")
    before = _pixels(second)
    second.get_by_label("Outlines").uncheck()
    page.wait_for_function("figure => figure.querySelector('img').src.includes('outlines=0')", arg=second.element_handle())
    assert _pixels(second) != before
    assert len(first.get_attribute("data-slices") or "") > 0
    keep_screen(page, "web-study", full_page=True)


def _pixels(figure) -> str:
    return hashlib.sha256(figure.locator("img").screenshot()).hexdigest()


def test_a_withheld_value_is_said_to_be_and_its_reasons_stand_on_the_page(site: Site, screen: Screen):
    page = screen.open(f"/studies/{site.broken}")
    card = page.locator(".card-withhold").first
    assert "withheld" in card.inner_text()
    assert "level_missing" in card.inner_text()
    assert not re.search(r"\d+\.\d+ %", card.inner_text())
    keep_screen(page, "web-study-withheld", full_page=True)


def test_retry_by_the_button(site: Site, screen: Screen):
    page = screen.open("/studies?delivery=dead")
    page.locator("table.list a.uid").click()
    page.get_by_text("given up", exact=True).wait_for()
    page.get_by_role("button", name="Retry").click()
    page.locator("#progress").get_by_text("queued", exact=True).wait_for()
    page.locator("#events").locator("xpath=..").get_by_text("delivery retried").wait_for()


def test_dark_follows_the_system_and_the_choice(screen: Screen):
    page = screen.open("/studies")
    assert _background(page) == "rgb(244, 246, 248)"
    page.emulate_media(color_scheme="dark")
    assert _background(page) == "rgb(15, 21, 27)"
    screen.choose("en", "light")
    assert _background(page) == "rgb(244, 246, 248)"
    page.emulate_media(color_scheme="light")
    screen.choose("en", "dark")
    assert _background(screen.open("/queue")) == "rgb(15, 21, 27)"


def _background(page: "Page") -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_chinese_is_kept_and_every_label_is_chinese(site: Site, screen: Screen):
    page = screen.open(f"/studies/{site.broken}")
    screen.choose("zh-CN", "dark")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    english = page.evaluate("""() => [...document.querySelectorAll("h1, h2, h3, th[scope=col], nav a, button, .mark, label")]
      .map(one => one.innerText.trim()).filter(text => text && !/[\\u4e00-\\u9fff]/.test(text))""")
    assert set(english) <= {"SOP Instance UID", "SOP Class UID", "CR", "%"}
    assert "未给出" in page.locator(".card-withhold").first.inner_text()
    keep_screen(page, "web-study-zh-dark", full_page=True)


def test_everything_is_reached_by_the_keyboard(site: Site, screen: Screen):
    page = screen.open("/studies")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == site.sound:
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{site.sound}")
    unreachable = page.evaluate(
        "() => [...document.querySelectorAll('a, button, input, select, summary')].filter(one => one.tabIndex < 0).length"
    )
    assert unreachable == 0


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(site: Site, screen: Screen, theme: str, language: str):
    screen.open("/studies")
    screen.choose(language, theme)
    for one in PAGES:
        for uid in (site.sound, site.broken) if "{" in one.path else ("",):
            page = screen.open(one.path.format(study_instance_uid=uid))
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert page.evaluate(_SERIOUS) == [], one.path
        if (theme, language) == ("light", "en"):
            keep_screen(page, f"web-{one.name}-{theme}", full_page=True)


def test_log_in_by_keyboard(site: Site, screen: Screen):
    with running_web(site.world.config, {"CSPINE_WEB_PASSWORD": "correct horse battery"}) as port:
        page = screen.page
        page.goto(f"http://127.0.0.1:{port}/studies")
        assert page.evaluate("document.activeElement.name") == "password"
        assert page.evaluate(_SERIOUS) == []
        keep_screen(page, "web-login")
        page.keyboard.type("correct horse battery")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Log out").wait_for()
        assert page.get_by_text(site.sound, exact=True).count() == 1
