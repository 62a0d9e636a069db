"""Synthetic MR images to send: made once, of no patient."""

import random
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def write_images(folder: Path, count: int, rows: int, shares: int, series_length: int = 25) -> Sequence[Path]:
    """Write square images of 16 bits as one study in series of a length, dealt to folders that several senders take.

    Returns
    -------
    The folders, as many as ``shares``.
    """
    pixels = random.Random(rows).randbytes(2 * rows * rows)  # noqa: S311 - noise, not a secret
    study, series = generate_uid(), generate_uid()
    folders = [folder / f"share-{number}" for number in range(shares)]
    for one in folders:
        one.mkdir(parents=True)
    for number in range(count):
        if number % series_length == 0:
            series = generate_uid()
        image = _image(rows, pixels)
        image.StudyInstanceUID, image.SeriesInstanceUID, image.InstanceNumber = study, series, number + 1
        image.ImagePositionPatient = [3.0 * (number % series_length), 0, 0]
        image.save_as(folders[number % shares] / f"{number:05d}.dcm", enforce_file_format=True)
    return folders


def _image(rows: int, pixels: bytes) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.Modality, image.SeriesDescription = "MR", "t2_tse_sag"
    image.StudyDate, image.StudyTime, image.AccessionNumber = "20260101", "120000", "1"
    image.PatientName, image.PatientID = "Phantom^Benchmark", "BENCHMARK"
    image.FrameOfReferenceUID = "1.2.3"
    image.SliceThickness, image.PixelSpacing, image.ImageOrientationPatient = 3, [0.5, 0.5], [0, 1, 0, 0, 0, -1]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.Rows = image.Columns = rows
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = pixels
    image["PixelData"].VR = "OW"
    return image
