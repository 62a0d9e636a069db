"""The plug is pulled: whatever dies, the study completes once and the PACS holds one SR."""

import os
import re
import signal

import pytest

from tests.support.external import free_port, wait_until
from tests.support.live_node import LiveNode
from tests.support.orthanc import Orthanc, running_orthanc

COUNTED = """
function ReceivedInstanceFilter(dicom, origin)
  print("came " .. origin["RequestOrigin"] .. " " .. dicom["SOPInstanceUID"])
  return true
end
"""


def count(orthanc, modality: str) -> int:
    return len(orthanc.post("/tools/find", {"Level": "Instance", "Query": {"Modality": modality}}))


def state_of(node: LiveNode) -> str:
    listing = node.studies()
    return listing[0]["state"] if listing else ""


def test_kill_minus_nine_of_the_worker_during_inference(tmp_path, phantom, orthanc):
    folder, _ = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(folder)
        wait_until(lambda: "analysis begun" in node.text(), "the analysis begins", deadline_s=60)
        (worker,) = node.worker_pids()
        os.kill(worker, signal.SIGKILL)
        assert state_of(node) == "running"
        assert node.wait_for_end()["state"] == "delivered"
    assert (count(orthanc, "SR"), count(orthanc, "SEG")) == (1, 2)
    assert node.text().count("analysis begun") == 2


def test_kill_minus_nine_of_the_worker_during_delivery(tmp_path, phantom):
    """One PACS, by C-STORE and by STOW-RS."""
    folder, _ = phantom
    orthanc = Orthanc(free_port(), free_port())  # a PACS that is down: its ports are known, nobody listens
    (tmp_path / "counted.lua").write_text(COUNTED, encoding="ascii")
    retry = {"first_delay_s": 0.2, "maximum_delay_s": 0.5}
    node = LiveNode(tmp_path / "node", [orthanc.destination(retry=retry), orthanc.web_destination(retry=retry)])
    with node.running():
        node.store_scu(folder)
        wait_until(lambda: node.text().count('"reason": "peer_unreachable"') > 1, "both deliveries fail", deadline_s=120)
        (worker,) = node.worker_pids()
        os.kill(worker, signal.SIGKILL)
        scripts = {"LuaScripts": [str(tmp_path / "counted.lua")]}
        with running_orthanc(tmp_path / "orthanc", where=orthanc, changes=scripts):
            assert node.wait_for_end()["state"] == "delivered"
            assert (count(orthanc, "SR"), count(orthanc, "SEG")) == (1, 2)
    came = re.findall(r"came (\w+) (\S+)", (tmp_path / "orthanc" / "orthanc.log").read_text(encoding="utf-8"))
    assert len(came) == len(set(came)), "each object came once"
    assert {origin: [one for one, _ in came].count(origin) for origin, _ in came} == {"DicomProtocol": 5, "Plugins": 5}
    assert node.text().count("analysis begun") == 1


def test_kill_minus_nine_of_the_whole_node_while_it_receives(tmp_path, phantom, orthanc):
    folder, _ = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()], {"log": {"level": "INFO"}})
    with node.running() as process:
        node.store_scu(folder)
        process.kill()
        process.wait()
    wait_until(lambda: not node.worker_pids(), "the children end with their parent", deadline_s=60)
    with node.running():
        assert node.wait_for_end()["state"] == "delivered"
    assert (count(orthanc, "SR"), count(orthanc, "SEG")) == (1, 2)


def test_a_pacs_that_sends_everything_back_starts_no_second_analysis(tmp_path, phantom, orthanc):
    folder, _ = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(folder)
        node.wait_for_end()
        results = node.results()[0]
        node.store_scu(results)
        node.store_scu(folder)
        wait_until(lambda: node.text().count("unchanged") + len(node.studies()) >= 1, "the study is announced again")
        wait_until(lambda: not list((node.folder / "store" / "open").iterdir()), "nothing is open", deadline_s=30)
        history = node.history(node.studies()[0]["study_instance_uid"])
    assert len(history["analyses"]) == 1
    assert (count(orthanc, "SR"), count(orthanc, "SEG")) == (1, 2)


@pytest.mark.parametrize("kind", ["sagittal_stir", "localizer"])
def test_a_study_that_is_not_for_us_is_declined_with_its_reason(tmp_path, phantom, orthanc, kind):
    _, study = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(study.paths[kind][0].parent)
        assert node.wait_for_end()["state"] == "declined"
        history = node.history(node.studies()[0]["study_instance_uid"])
    assert history["analyses"][0]["reason"] in ("no_sagittal_t2", "no_usable_series")
    assert (count(orthanc, "SR"), count(orthanc, "SEG")) == (0, 0)
