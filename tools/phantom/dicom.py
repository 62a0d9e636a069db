"""Write slices as classic MR or Enhanced MR instances, in any transfer syntax, with headers like a scanner's.

Every UID and time derives from the subject's key, so the same settings give the same files. No attribute holds anything of a
real person.
"""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
)

from node.domain.geometry import ImagePlane
from tools.phantom.enhanced import add_enhanced_modules
from tools.phantom.series import STORED_BITS, STUDY_DATE, STUDY_TIME, Acquisition, SeriesImages, Subject, decimal_strings


def write_series(folder: Path, subject: Subject, images: SeriesImages) -> tuple[Path, ...]:
    """Write a series into ``folder`` and return its files, one for each slice or one Enhanced instance."""
    folder.mkdir(parents=True, exist_ok=True)
    if images.encoding.enhanced:
        return (_write_enhanced(folder, subject, images),)
    stored = images.stored()
    return tuple(_write_classic(folder, subject, images, index, stored[index]) for index in range(len(images.slices)))


def _write_classic(folder: Path, subject: Subject, images: SeriesImages, index: int, stored: npt.NDArray[np.uint16]) -> Path:
    acquisition, image = images.acquisition, images.slices[index]
    data_set = _common(subject, acquisition, str(MRImageStorage), index + 1)
    _add_plane(data_set, images, image.plane)
    data_set.ScanningSequence = list(acquisition.scanning_sequence)
    data_set.SequenceVariant = list(acquisition.sequence_variant)
    data_set.ScanOptions = list(acquisition.scan_options)
    data_set.SequenceName = acquisition.sequence_name
    data_set.MRAcquisitionType = "2D"
    data_set.RepetitionTime = acquisition.repetition_time_ms
    data_set.EchoTime = acquisition.echo_time_ms
    if acquisition.inversion_time_ms is not None:
        data_set.InversionTime = acquisition.inversion_time_ms
    data_set.NumberOfAverages = 2
    data_set.EchoNumbers = 1
    data_set.EchoTrainLength = acquisition.echo_train_length
    data_set.FlipAngle = acquisition.flip_angle_deg
    data_set.ImagingFrequency = 123.25
    data_set.ImagedNucleus = "1H"
    data_set.PixelBandwidth = 250
    data_set.WindowCenter, data_set.WindowWidth = "500", "1000"
    _add_pixels(data_set, stored)
    return _save(folder / f"IM{index + 1:04d}.dcm", data_set, images.encoding.transfer_syntax_uid)


def _write_enhanced(folder: Path, subject: Subject, images: SeriesImages) -> Path:
    acquisition = images.acquisition
    data_set = _common(subject, acquisition, str(EnhancedMRImageStorage), 1)
    add_enhanced_modules(data_set, images, subject.uid(acquisition.series_number, "dimensions"))
    _add_pixels(data_set, np.stack(images.stored()))
    return _save(folder / "IM0001.dcm", data_set, images.encoding.transfer_syntax_uid)


def _common(subject: Subject, acquisition: Acquisition, sop_class_uid: str, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(subject.uid(acquisition.series_number, number))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data_set.SpecificCharacterSet = (
        list(subject.specific_character_set)
        if isinstance(subject.specific_character_set, tuple)
        else subject.specific_character_set
    )
    data_set.SOPClassUID, data_set.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    _add_patient_and_study(data_set, subject)
    _add_series(data_set, subject, acquisition)
    data_set.ImageType = list(acquisition.image_type)
    data_set.InstanceNumber = number
    data_set.AcquisitionNumber = 1
    data_set.ContentDate = data_set.AcquisitionDate = STUDY_DATE
    data_set.ContentTime = data_set.AcquisitionTime = f"{STUDY_TIME[:2]}{acquisition.series_number % 60:02d}{STUDY_TIME[4:]}"
    return data_set


def _add_patient_and_study(data_set: Dataset, subject: Subject) -> None:
    data_set.PatientName = subject.patient_name
    data_set.PatientID = subject.patient_id
    data_set.PatientBirthDate = "19700101"
    data_set.PatientSex = "O"
    data_set.PatientAge = "054Y"
    data_set.PatientWeight = 70
    data_set.StudyInstanceUID = subject.uid("study")
    data_set.StudyDate, data_set.StudyTime = STUDY_DATE, STUDY_TIME
    data_set.StudyID = "1"
    data_set.StudyDescription = subject.study_description
    data_set.AccessionNumber = subject.accession_number
    data_set.ReferringPhysicianName = ""


def _add_series(data_set: Dataset, subject: Subject, acquisition: Acquisition) -> None:
    data_set.Modality = "MR"
    data_set.SeriesInstanceUID = subject.uid("series", acquisition.series_number)
    data_set.SeriesNumber = acquisition.series_number
    data_set.SeriesDate, data_set.SeriesTime = STUDY_DATE, STUDY_TIME
    data_set.SeriesDescription = acquisition.description
    data_set.ProtocolName = acquisition.description
    data_set.PatientPosition = "HFS"
    data_set.FrameOfReferenceUID = subject.uid("frame of reference")
    data_set.PositionReferenceIndicator = ""
    data_set.Manufacturer = "SYNTHETIC"
    data_set.ManufacturerModelName = "PHANTOM SCANNER"
    data_set.DeviceSerialNumber = "1"
    data_set.SoftwareVersions = "1"
    data_set.InstitutionName = "PHANTOM"
    data_set.StationName = "PHANTOM"
    data_set.MagneticFieldStrength = 3
    if subject.body_part_examined:
        data_set.BodyPartExamined = subject.body_part_examined


def _add_plane(data_set: Dataset, images: SeriesImages, plane: ImagePlane) -> None:
    data_set.ImagePositionPatient = decimal_strings(plane.position)
    data_set.ImageOrientationPatient = decimal_strings(np.concatenate([plane.along_row, plane.along_column]))
    data_set.PixelSpacing = decimal_strings(plane.spacing)
    data_set.SliceThickness = decimal_strings([images.thickness_mm])[0]
    data_set.SpacingBetweenSlices = decimal_strings([images.spacing_between_slices_mm])[0]
    data_set.SliceLocation = decimal_strings([float(plane.position @ plane.normal)])[0]


def _add_pixels(data_set: Dataset, stored: npt.NDArray[np.uint16]) -> None:
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.Rows, data_set.Columns = stored.shape[-2:]
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, STORED_BITS, STORED_BITS - 1
    data_set.PixelRepresentation = 0
    data_set.PixelData = stored.astype("<u2").tobytes()
    data_set["PixelData"].VR = "OW"


def _save(path: Path, data_set: FileDataset, transfer_syntax_uid: str) -> Path:
    syntax = UID(transfer_syntax_uid)
    if syntax == JPEGLosslessSV1:
        # pydicom has no encoder for it; DCMTK has
        plain = path.with_suffix(".plain")
        data_set.save_as(plain, enforce_file_format=True)
        subprocess.run(["dcmcjpeg", "--encode-lossless-sv1", "--uid-never", plain, path], check=True, capture_output=True)
        plain.unlink()
        return path
    if syntax.is_encapsulated:
        data_set.compress(syntax, generate_instance_uid=False)
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.save_as(path, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    return path
