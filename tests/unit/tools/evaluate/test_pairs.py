import json

import pytest

from node.reporting.measurements_json import encode, measured_document
from node.reporting.provenance import Software
from tools.evaluate.pairs import pair_folders
from tools.evaluate.readings import Measure


@pytest.fixture
def folders(analysis, tmp_path):
    """Three studies of a model and three of a reader, two in common; the reader's MSCC is 2 points lower."""
    document = json.loads(encode(measured_document(analysis, Software("cspine-node", "1"), (), ())))
    for side, uids in (("model", ("1.1", "1.2", "1.3")), ("reader", ("1.2", "1.3", "1.4"))):
        for uid in uids:
            own = json.loads(json.dumps(document)) | {"study_instance_uid": uid}
            own["sagittal"]["mscc"]["value_percent"] -= 2 if side == "reader" else 0
            (tmp_path / side / uid).mkdir(parents=True)
            (tmp_path / side / uid / "measurements.json").write_text(json.dumps(own))
    return tmp_path


def test_studies_are_matched_by_their_uid(folders):
    paired = pair_folders(folders / "model", folders / "reader")
    assert [one.case for one in paired.results] == ["1.2", "1.3"]
    assert (paired.only_tested, paired.only_reference) == (("1.1",), ("1.4",))
    (mscc,) = [one for one in paired.results[0].readings if one.tested.measure is Measure.MSCC]
    assert mscc.tested.value - mscc.reference == pytest.approx(2)


def test_folders_without_a_common_study_are_refused(folders):
    with pytest.raises(ValueError, match="no study is in both"):
        pair_folders(folders / "model" / "1.1", folders / "reader")


def test_a_study_that_is_twice_in_a_folder_is_refused(folders):
    text = (folders / "model" / "1.1" / "measurements.json").read_text()
    (folders / "model" / "again").mkdir()
    (folders / "model" / "again" / "measurements.json").write_text(text)
    with pytest.raises(ValueError, match=r"study 1\.1 is twice"):
        pair_folders(folders / "model", folders / "reader")
