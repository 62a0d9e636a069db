import json

import yaml
from click.testing import CliRunner

from node.reporting.measurements_json import encode, measured_document
from node.reporting.provenance import Software
from tools.evaluate.__main__ import evaluate


def run(*arguments):
    return CliRunner().invoke(evaluate, [str(one) for one in arguments])


def write_manifests(folder, people):
    for name in ("sagittal-segmentation", "axial-segmentation", "keypoints"):
        (folder / name).mkdir(parents=True)
        fields = {"name": name, "version": "1", "sha256": "0" * 64, "training_people": people}
        (folder / name / "model.yaml").write_text(yaml.safe_dump(fields))


def test_two_folders_of_measurements_become_a_report(analysis, tmp_path):
    document = json.loads(encode(measured_document(analysis, Software("cspine-node", "1"), (), ())))
    for side, uids in (("model", ("1.1", "1.2")), ("reader", ("1.2", "1.3"))):
        for uid in uids:
            (tmp_path / side / uid).mkdir(parents=True)
            (tmp_path / side / uid / "measurements.json").write_text(json.dumps(document | {"study_instance_uid": uid}))
    done = run("pair", tmp_path / "model", tmp_path / "reader", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["heading"]["tested"], metrics["heading"]["reference"]) == ("model", "reader")
    assert [row["n"] for row in metrics["numbers"] if row["measure"] in ("MSCC", "TA")] == [1, 1]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Only in the first folder, not compared: 1.1." in page
    assert "Only in the second folder, not compared: 1.3." in page


def test_a_person_that_the_models_were_trained_on_is_refused(tmp_path):
    write_manifests(tmp_path / "models", ["errsm_18"])
    (tmp_path / "real" / "sagittal").mkdir(parents=True)
    (tmp_path / "real" / "sagittal" / "errsm_18_midsagittal.json").write_text("{}")
    done = run("real", tmp_path / "real", "--models", tmp_path / "models", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "trained on errsm_18" in done.output
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_on_the_command_line_is_said_in_one_line(tmp_path):
    (tmp_path / "real").mkdir()
    assert "is not PERSON=MODELS_DIR" in run("real", tmp_path / "real", "--fold", "errsm_18", "--out", tmp_path / "out").output
    assert "holds no annotated volume" in run("real", tmp_path / "real", "--out", tmp_path / "out").output
    assert "give --studies" in run("phantom", "--out", tmp_path / "out").output
