import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.domain.geometry import ImagePlane, Spacing
from node.reporting.conform import freeze, per_frame_orientation
from node.reporting.source import stand_in_uid
from tests.support.analytic_shapes import volume_of


def planes(tilts_deg):
    for number, tilt in enumerate(np.deg2rad(tilts_deg)):
        across, down = [0.0, np.cos(tilt), np.sin(tilt)], [0.0, np.sin(tilt), -np.cos(tilt)]
        yield ImagePlane([3.0 * number, 0, 0], across, down, Spacing(1, 1), 4, 4)


def segmentation_of(volume):
    result, shared = Dataset(), Dataset()
    orientation = Dataset()
    orientation.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    shared.PlaneOrientationSequence = Items([orientation])
    result.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for source in volume.sources:
        frame, derivation, image = Dataset(), Dataset(), Dataset()
        image.ReferencedSOPInstanceUID = stand_in_uid(source)
        derivation.SourceImageSequence = Items([image])
        frame.DerivationImageSequence = Items([derivation])
        frames.append(frame)
    result.PerFrameFunctionalGroupsSequence = Items(frames)
    return result


def test_slices_that_are_not_quite_parallel_keep_their_own_orientation():
    volume = volume_of(list(planes([0.0, 0.3, 0.6])))
    result = segmentation_of(volume)
    per_frame_orientation(result, volume)
    assert "PlaneOrientationSequence" not in result.SharedFunctionalGroupsSequence[0]
    for frame, plane in zip(result.PerFrameFunctionalGroupsSequence, volume.planes, strict=True):
        stored = np.array(frame.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float)
        assert stored == pytest.approx(np.concatenate([plane.along_row, plane.along_column]), abs=1e-9)


def test_rounding_between_slices_leaves_one_orientation_for_all():
    volume = volume_of(list(planes([0.0, 1e-6, 0.0])))
    result = segmentation_of(volume)
    per_frame_orientation(result, volume)
    assert "PlaneOrientationSequence" in result.SharedFunctionalGroupsSequence[0]


def test_nothing_of_the_clock_or_the_random_generator_stays():
    result, equipment, organization = Dataset(), Dataset(), Dataset()
    result.SOPInstanceUID = "1.2.3"
    result.InstanceCreationDate, result.ContentDate = "20990101", "20990101"
    equipment.ContributionDateTime = "20990101101010"
    result.ContributingEquipmentSequence = Items([equipment])
    organization.DimensionOrganizationUID = "1.2.3.4"
    result.DimensionOrganizationSequence = Items([organization])
    freeze(result, ("20240102", "101500"))
    assert "2099" not in str(result)
    assert result.DimensionOrganizationSequence[0].DimensionOrganizationUID.startswith("2.25.")
    assert (result.ContentDate, result.ContentTime) == ("20240102", "101500")
