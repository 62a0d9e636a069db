"""Our reports of a patient at several times, made from one whole analysis, and images of the same patient."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.config import ReportingConfig
from node.reporting import Software, build_report
from tests.support.analyses import synthetic_analysis
from tests.support.dicom_peers import Uids, mr_instance, write_instance

WHO = {
    "PatientID": "P1",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "PatientName": "Follow^Up",
}


@dataclass(frozen=True)
class Reports:
    """Writes reports of any patient and time below a folder."""

    folder: Path
    template: Path

    @classmethod
    def make(cls, folder: Path) -> "Reports":
        """Analyse a synthetic study and report it."""
        build_report(synthetic_analysis(folder / "study"), ReportingConfig(), Software("cspine-node", "1"), folder / "report")
        return cls(folder, folder / "report" / "sr_comprehensive_3d.dcm")

    def write(self, date: str, replaces: Dataset | None = None, **changes: str) -> Path:
        """Write a report of a study of its own, or of that of the report that it replaces."""
        report = dcmread(self.template)
        uids = Uids.new(None if replaces is None else str(replaces.StudyInstanceUID))
        report.StudyInstanceUID, report.SeriesInstanceUID, report.SOPInstanceUID = uids.study, uids.series, uids.instance
        report.file_meta.MediaStorageSOPInstanceUID = uids.instance
        for keyword, value in (WHO | {"StudyDate": date, "StudyTime": "120000"} | changes).items():
            setattr(report, keyword, value)
        if replaces is not None:
            report.PredecessorDocumentsSequence = _references(replaces)
        path = self.folder / f"{uids.instance}.dcm"
        report.save_as(path)
        return path


def patient_image(path: Path, date: str, **changes: str) -> Path:
    """Write an image of the patient, of a study of its own."""
    image = mr_instance()
    for keyword, value in (WHO | {"StudyDate": date, "StudyTime": "120000"} | changes).items():
        setattr(image, keyword, value)
    return write_instance(path, image)


def _references(report: Dataset) -> Items:
    one, series, study = Dataset(), Dataset(), Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = report.SOPClassUID, report.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = report.SeriesInstanceUID, Items([one])
    study.StudyInstanceUID, study.ReferencedSeriesSequence = report.StudyInstanceUID, Items([series])
    return Items([study])
