"""The pages, their twins, metrics and the guard, as a program sees them over HTTP."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.domain.feedback import Feedback, FeedbackKind
from node.domain.identity import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId
from node.jobs import open_jobs
from node.shadow.record import keep_shadow
from node.web.openapi import openapi_document
from node.web.pages import PAGES
from tests.support.analyses import Scene
from tests.support.external import drops_sockets
from tests.support.web_world import DEAD, DECLINED, DELIVERED, FAILED, Visitor, WebWorld, running_web
from tools.phantom.series import Subject

PASSWORD, TOKEN = "correct horse battery", "0123456789abcdef0123456789abcdef"
NAME, NUMBER = "SENTINEL^JANE", "SENTINEL-4711"
DECLINED_UID, FAILED_UID = "2.25.11", "2.25.12"


class World:
    """A world with a study of each kind."""

    def __init__(self, folder: Path) -> None:
        self.world = WebWorld(folder)
        subject = Subject("web", patient_name=NAME, patient_id=NUMBER, accession_number="ACC-77")
        self.measured = self.world.measured(Scene(subject=subject), DELIVERED)
        self.dead = self.world.measured(Scene(subject=replace(subject, key="web dead", accession_number="ACC-78")), DEAD)
        jobs = open_jobs(self.world.config.database)
        current = jobs.study(StudyInstanceUID(self.measured)).study.current
        assert current is not None
        uids = StudyInstanceUID(self.measured), SeriesInstanceUID("2.25.21"), SOPInstanceUID("2.25.22")
        said = Feedback(*uids, AnalysisId(current.analysis_id), "KO", FeedbackKind.REJECTED, "said so", datetime.now(UTC))
        assert jobs.note_feedback(said)
        jobs.close()
        assert current.folder is not None
        assert keep_shadow(Path(current.folder), Path(current.folder))  # a second set that agrees in everything
        self.world.ended(DECLINED_UID, DECLINED)
        self.world.ended(FAILED_UID, FAILED)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def port(world: World) -> Iterator[int]:
    with running_web(world.world.config) as port:
        yield port


@pytest.fixture
def visitor(port: int) -> Visitor:
    return Visitor(port)


@pytest.fixture(scope="module")
def closed_port(world: World) -> Iterator[int]:
    with running_web(world.world.config, {"CSPINE_WEB_PASSWORD": PASSWORD, "CSPINE_WEB_TOKEN": TOKEN}) as port:
        yield port


def addresses(world: World) -> list[str]:
    return [page.path.format(study_instance_uid=world.measured) for page in PAGES]


def test_every_page_and_its_twin_answer(world: World, visitor: Visitor):
    for path in addresses(world):
        page, twin = visitor.get(path), visitor.get(f"{path}.json")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), page.text
        assert "<h1>" in page.text
        assert twin.status == 200
        assert json.loads(twin.text)


def test_the_worklist_filters(world: World, visitor: Visitor):
    def found(question: str) -> set[str]:
        return {one["study_instance_uid"] for one in json.loads(visitor.get(f"/studies.json?{question}").text)["studies"]}

    assert found("") == {world.measured, world.dead, DECLINED_UID, FAILED_UID}
    assert found("state=failed") == {FAILED_UID}
    assert found("delivery=dead") == {world.dead}
    assert found("reason=no_sagittal_t2") == {DECLINED_UID}
    assert found("reason=peer_unreachable") == {world.dead}
    assert found(f"text={world.measured[5:25]}") == {world.measured}
    assert found("text=%25") == set()
    assert found("page=2") == set()


def test_the_study_page_shows_values_reasons_images_and_deliveries(world: World, visitor: Visitor):
    twin = json.loads(visitor.get(f"/studies/{world.measured}.json").text)
    page = visitor.get(f"/studies/{world.measured}").text
    assert twin["accession_number"] == "ACC-77"
    assert [one["name"] for one in twin["values"]] == ["mscc", "mcc", "ta", "cr"]
    for one in twin["values"]:
        assert one["value"] is None or f"{one['value']:.{one['decimals']}f}" in page
    assert twin["deliveries"][0]["state"] == "delivered"
    assert set(twin["deliveries"][0]["objects"]) == {"SEG", "SR", "PR"}
    assert [event["kind"] for event in twin["events"]][-1] == "study ready"
    for one in twin["series"]:
        assert 1 <= one["measured"] <= one["slices"]
        shown = visitor.get(f"/studies/{world.measured}/slices/{one['role']}/{one['measured']}.png")
        plain = visitor.get(f"/studies/{world.measured}/slices/{one['role']}/{one['measured']}.png?outlines=0")
        assert (shown.status, shown.headers["content-type"]) == (200, "image/png")
        assert shown.text != plain.text
        assert visitor.get(f"/studies/{world.measured}/slices/{one['role']}/{one['slices'] + 1}.png").status == 404
    assert visitor.get(f"/studies/{world.measured}/pictures/summary.png").status == 200


@pytest.mark.parametrize("name", ["measurements.json", "report.json", "sr_comprehensive.dcm", "..%2f..%2fjobs.db", "no.png"])
def test_only_pictures_of_the_report_are_given_out(world: World, visitor: Visitor, name: str):
    assert visitor.get(f"/studies/{world.measured}/pictures/{name}").status == 404


@pytest.mark.parametrize("path", ["/studies/1.2.3", "/studies/..%2f..", "/studies/x.json", "/nothing", "/static/../server.py"])
def test_what_is_not_there_is_said_so(visitor: Visitor, path: str):
    assert visitor.get(path).status == 404


def test_retry_send_again_and_cancel_need_the_token_of_the_session(world: World, visitor: Visitor):
    path = f"/studies/{world.dead}/retry"
    assert visitor.post(path, {}).status == 403
    token = visitor.form_token()
    assert visitor.post(path, {"form_token": "x"}).status == 403
    assert Visitor(visitor.port).post(path, {"form_token": token}).status == 403
    assert visitor.post(path, {"form_token": token}, Origin="http://evil.example").status == 403
    assert visitor.post(path, {"form_token": token}, Sec_Fetch_Site="cross-site").status == 403

    def state(uid: str) -> str:
        return str(json.loads(visitor.get(f"/studies/{uid}.json").text)["deliveries"][0]["state"])

    assert state(world.dead) == "dead"
    done = visitor.post(path, {"form_token": token})
    assert (done.status, done.headers["location"]) == (303, f"/studies/{world.dead}")
    assert state(world.dead) == "queued"
    assert visitor.post(path, {"form_token": token}).status == 409
    assert visitor.post(f"/studies/{world.dead}/cancel", {"form_token": token}).status == 303
    assert state(world.dead) == "cancelled"
    assert visitor.post(f"/studies/{world.measured}/retry", {"form_token": token}).status == 409
    resend = f"/studies/{world.measured}/resend"
    assert visitor.post(resend, {"form_token": token, "destination": "nowhere"}).status == 404
    assert '<input type="hidden" name="destination" value="pacs">' in visitor.get(f"/studies/{world.measured}").text
    assert visitor.post(resend, {"form_token": token, "destination": "pacs"}).status == 303
    assert visitor.post(resend, {"form_token": token}).status == 409
    assert json.loads(visitor.get(f"/studies/{world.measured}.json").text)["state"] == "analysed"
    assert visitor.post("/studies/1.2.3/retry", {"form_token": token}).status == 404


@drops_sockets
def test_a_destination_is_asked_by_hand(visitor: Visitor):
    assert json.loads(visitor.get("/destinations.json").text)["destinations"][0]["last_echo"] is None
    assert visitor.post("/destinations/pacs/echo", {"form_token": visitor.form_token()}).status == 303
    last = json.loads(visitor.get("/destinations.json").text)["destinations"][0]["last_echo"]
    assert last["ms"] is None
    assert last["problem"]
    assert visitor.post("/destinations/other/echo", {"form_token": visitor.form_token()}).status == 404


def test_language_and_appearance_are_kept(visitor: Visitor):
    form = {"form_token": visitor.form_token(), "language": "zh-CN", "theme": "dark", "next": "//evil.example"}
    done = visitor.post("/preferences", form)
    assert (done.status, done.headers["location"]) == (303, "/studies")
    page = visitor.get("/studies").text
    assert '<html lang="zh-CN" data-theme="dark">' in page
    assert "检查列表" in page


def test_no_patient_stands_in_a_page_a_metric_an_address_or_the_log(world: World, visitor: Visitor, caplog):
    caplog.set_level("DEBUG")
    paths = [*addresses(world), *(f"{path}.json" for path in addresses(world)), "/metrics", "/openapi.json", "/health/ready"]
    texts = [visitor.get(path).text for path in paths]
    visitor.get(f"/studies/{world.measured}/slices/sagittal_t2/1.png")
    visitor.post(f"/studies/{world.measured}/cancel", {"form_token": visitor.form_token()})
    told = "\n".join([*paths, *texts, caplog.text])
    assert "ACC-77" in told
    assert not re.search("SENTINEL|JANE|4711", told)


def test_metrics_count_what_is_there(world: World, visitor: Visitor):
    text = visitor.get("/metrics").text
    assert "cspine_studies_received_total 4.0" in text
    assert 'cspine_analyses_total{end="declined",reason="no_sagittal_t2"} 1.0' in text
    assert 'cspine_gate_reasons_total{code="no_sagittal_t2",verdict="decline"} 1.0' in text
    assert "cspine_database_up 1.0" in text


def test_feedback_stands_on_the_page_and_is_counted(world: World, visitor: Visitor):
    (said,) = json.loads(visitor.get(f"/studies/{world.measured}.json").text)["feedback"]
    assert (said["kind"], said["modality"], said["revision"], said["sop_instance_uid"]) == ("rejected", "KO", 1, "2.25.22")
    assert "Feedback to these results" in visitor.get(f"/studies/{world.measured}").text
    assert json.loads(visitor.get("/statistics.json").text)["feedback"] == [{"kind": "rejected", "count": 1}]
    assert 'cspine_feedback_total{kind="rejected"} 1.0' in visitor.get("/metrics").text


def test_the_second_set_of_models_stands_beside_the_first(world: World, visitor: Visitor):
    shadow = json.loads(visitor.get(f"/studies/{world.measured}.json").text)["shadow"]
    assert [one["name"] for one in shadow["values"]] == ["mscc", "mcc", "ta", "cr"]
    assert {one["dice"] for one in shadow["overlaps"]} == {1.0}
    page = visitor.get(f"/studies/{world.measured}").text
    assert "Second set of models (shadow)" in page
    assert page.count("Dice of the masks") == 4
    (agreement,) = json.loads(visitor.get("/statistics.json").text)["shadows"]
    assert agreement["studies"] == 1
    assert {one["bias"] for one in agreement["values"] if one["count"]} == {0.0}
    assert "Limits of agreement" in visitor.get("/statistics").text
    assert json.loads(visitor.get(f"/studies/{world.dead}.json").text)["shadow"] is None


def test_health(visitor: Visitor):
    assert visitor.get("/health/live").status == 200
    ready = visitor.get("/health/ready")
    assert (ready.status, json.loads(ready.text)["checks"]) == (200, {"database": "ok", "disk": "ok", "models": "ok"})


def test_the_openapi_document_describes_each_twin(world: World, visitor: Visitor):
    document = json.loads(visitor.get("/openapi.json").text)
    assert document == json.loads(json.dumps(openapi_document(PAGES)))
    assert set(document["paths"]) == {f"{page.path}.json" for page in PAGES}
    text = json.dumps(document)
    named = {one.rsplit("/", 1)[-1] for one in re.findall(r'"\$ref": "(#/components/schemas/\w+)"', text)}
    assert named <= set(document["components"]["schemas"])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_that_leads_here_is_refused(visitor: Visitor, host: str):
    assert visitor.get("/studies", Host=host).status == 421
    assert visitor.get("/health/live", Host=host).status == 421


def test_every_answer_carries_the_headers(world: World, visitor: Visitor):
    for path in ("/studies", "/metrics", "/nothing", "/static/site.css", f"/studies/{world.measured}/slices/sagittal_t2/1.png"):
        headers = visitor.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style(world: World, visitor: Visitor):
    for path in addresses(world):
        text = visitor.get(path).text
        assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:|https?://(?!www\.w3\.org)", text), path


def test_a_large_request_is_refused(visitor: Visitor):
    token = visitor.form_token()
    assert visitor.post("/preferences", {"form_token": token, "next": "x" * 70_000}).status == 413
    body, kind = iter([b"next=" + b"x" * 70_000]), {"Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.ask("POST", "/preferences", body, kind).status == 413  # chunked: no length is declared


class TestWithPassword:
    def test_nothing_is_shown_without_it(self, world: World, closed_port: int):
        visitor = Visitor(closed_port)
        for path in (*addresses(world), "/", f"/studies/{world.measured}/pictures/summary.png"):
            answer = visitor.get(path)
            assert (answer.status, answer.headers.get("location")) == (303, "/login"), path
        for path in (*(f"{path}.json" for path in addresses(world)), "/metrics", "/openapi.json"):
            assert visitor.get(path).status == 401, path
        assert visitor.post(f"/studies/{world.measured}/retry", {"form_token": visitor.form_token("/login")}).status == 303
        assert visitor.get("/health/live").status == 200

    def test_the_token_opens_what_programs_read(self, closed_port: int):
        visitor = Visitor(closed_port)
        assert visitor.get("/studies.json", Authorization=f"Bearer {TOKEN}").status == 200
        assert visitor.get("/metrics", Authorization=f"bearer {TOKEN}").status == 200
        assert visitor.get("/metrics", Authorization=f"Bearer {TOKEN}x").status == 401
        assert visitor.get("/metrics", Authorization=TOKEN).status == 401

    def test_log_in_and_out(self, closed_port: int):
        visitor = Visitor(closed_port)
        token = visitor.form_token("/login")
        before = visitor.cookies["cspine_session"]
        assert visitor.post("/login", {"password": PASSWORD}).status == 403
        assert visitor.post("/login", {"password": "wrong", "form_token": token}).status == 401
        done = visitor.post("/login", {"password": PASSWORD, "form_token": token})
        assert (done.status, done.headers["location"]) == (303, "/studies")
        assert re.search(r"HttpOnly.*SameSite=strict", done.headers["set-cookie"])
        assert visitor.cookies["cspine_session"] != before
        assert visitor.get("/studies").status == 200
        kept = visitor.cookies["cspine_session"]
        assert visitor.post("/logout", {"form_token": visitor.form_token()}).status == 303
        visitor.cookies["cspine_session"] = kept
        assert visitor.get("/studies").status == 303

    def test_who_tries_too_often_must_wait(self, world: World):
        with running_web(world.world.config, {"CSPINE_WEB_PASSWORD": PASSWORD}) as port:
            visitor = Visitor(port)
            token = visitor.form_token("/login")
            statuses = [visitor.post("/login", {"password": str(n), "form_token": token}).status for n in range(6)]
            assert statuses == [401] * 5 + [429]
            refused = visitor.post("/login", {"password": PASSWORD, "form_token": token})
            assert refused.status == 429
            assert 0 < int(refused.headers["retry-after"]) <= 31
