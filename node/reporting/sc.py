"""The summary page as a Secondary Capture: for a PACS that shows neither SR nor SEG nor presentation states."""

from collections.abc import Sequence

from highdicom.sc import SCImage
from pydicom.dataset import Dataset

from node.reporting.canvas import Picture
from node.reporting.provenance import Provenance
from node.reporting.references import references_to
from node.reporting.source import SourceSeries
from node.reporting.uids import derived_uid

_SERIES_NUMBER = 9340


def build_sc(page: Picture, sources: Sequence[SourceSeries], provenance: Provenance, fingerprint: str) -> Dataset:
    """Return a page as a colour image, uncompressed, that refers to the images of every series that it shows.

    Nothing in it is a measure of length: it has no pixel spacing, and several scales and directions lie side by side, so
    that a viewer must neither measure on it nor write directions at its edges. Source: PS3.3 sections A.8.1, C.8.6.

    Parameters
    ----------
    page
        uint8 [row, column, red-green-blue]; names no patient.
    """
    qualification = provenance.settings.content_qualification
    header = sources[0].slice_headers[0]
    capture: Dataset = SCImage(
        pixel_array=page,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=derived_uid(fingerprint, "SC series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=derived_uid(fingerprint, "SC"),
        instance_number=1,
        # patient and study are filled in by subject.py when the result is finished
        patient_id="",
        patient_name="",
        patient_birth_date="",
        patient_sex="",
        accession_number="",
        study_id="",
        series_description=f"AI summary {qualification}",
        **provenance.equipment,
    )
    _describe(capture, sources)
    return capture


def _describe(capture: Dataset, sources: Sequence[SourceSeries]) -> None:
    """Say what highdicom leaves out or cannot know."""
    capture.ConversionType = "WSD"
    capture.BodyPartExamined = "CSPINE"
    # One direction is not true of the whole page; type 2C, empty (PS3.3 section C.7.6.1.1.1).
    capture.PatientOrientation = None
    # Asks for words that identify the patient and the date (PS3.3 table C.7-9), of which the page has none. "YES" would have
    # a de-identifier throw it away.
    capture.BurnedInAnnotation = "NO"
    capture.LossyImageCompression = "00"
    capture.DerivationDescription = "Summary page drawn by software from measurements on the source images, not verified"
    capture.SourceImageSequence = references_to(frame for source in sources for frame in source.volume.sources)
    # highdicom takes them from the clock
    del capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture
