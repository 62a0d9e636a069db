"""The modules and functional groups that make a data set an Enhanced MR image (PS3.3 section A.36)."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.domain.geometry import ImagePlane
from tools.phantom.series import STUDY_DATE, STUDY_TIME, Acquisition, SeriesImages, decimal_strings

_DATE_TIME = STUDY_DATE + STUDY_TIME


def add_enhanced_modules(data_set: Dataset, images: SeriesImages, dimension_uid: str) -> None:
    """Add everything but the pixels that an Enhanced MR image has beyond the modules of a classic one."""
    planes = [image.plane for image in images.slices]
    data_set.ImageType = _image_type(images.acquisition)
    data_set.NumberOfFrames = len(planes)
    _add_image_module(data_set)
    _add_pulse_sequence(data_set, images.acquisition)
    _add_dimensions(data_set, dimension_uid)
    data_set.SharedFunctionalGroupsSequence = Items([_shared(images)])
    data_set.PerFrameFunctionalGroupsSequence = Items(
        [_per_frame(plane, number, dimension_uid) for number, plane in enumerate(planes, start=1)]
    )


def contrast_word(acquisition: Acquisition) -> str:
    """Return AcquisitionContrast (PS3.3 section C.8.13.3.1) of an acquisition."""
    if acquisition.inversion_time_ms is not None:
        return "STIR"
    return "T2" if acquisition.echo_time_ms >= 60 else "T1"


def _image_type(acquisition: Acquisition) -> list[str]:
    """Return ImageType (PS3.3 section C.8.16.1): its third value is the flavour."""
    return ["ORIGINAL", "PRIMARY", "LOCALIZER" if "LOCALIZER" in acquisition.image_type else "VOLUME", "NONE"]


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _add_image_module(data_set: Dataset) -> None:
    del data_set.AcquisitionDate, data_set.AcquisitionTime
    data_set.AcquisitionDateTime = _DATE_TIME
    data_set.AcquisitionDuration = 180.0
    data_set.ResonantNucleus = "1H"
    data_set.KSpaceFiltering = "NONE"
    data_set.ApplicableSafetyStandardAgency = "IEC"
    data_set.ContentQualification = "RESEARCH"
    data_set.PixelPresentation = "MONOCHROME"
    data_set.VolumetricProperties = "VOLUME"
    data_set.VolumeBasedCalculationTechnique = "NONE"
    data_set.ComplexImageComponent = "MAGNITUDE"
    data_set.AcquisitionContrast = "T2"
    data_set.BurnedInAnnotation = "NO"
    data_set.LossyImageCompression = "00"
    data_set.PresentationLUTShape = "IDENTITY"
    data_set.AcquisitionContextSequence = Items([])


def _add_pulse_sequence(data_set: Dataset, acquisition: Acquisition) -> None:
    data_set.AcquisitionContrast = contrast_word(acquisition)
    data_set.PulseSequenceName = acquisition.sequence_name
    data_set.MRAcquisitionType = "2D"
    data_set.EchoPulseSequence = "GRADIENT" if "GR" in acquisition.scanning_sequence else "SPIN"
    if "GR" not in acquisition.scanning_sequence:
        data_set.MultipleSpinEcho = "YES" if acquisition.echo_train_length > 1 else "NO"
    data_set.MultiPlanarExcitation = "NO"
    data_set.PhaseContrast = "NO"
    data_set.TimeOfFlightContrast = "NO"
    data_set.SteadyStatePulseSequence = "NONE"
    data_set.EchoPlanarPulseSequence = "NO"
    data_set.SpectrallySelectedSuppression = "FAT" if "FS" in acquisition.scan_options else "NONE"
    data_set.SaturationRecovery = "NO"
    data_set.GeometryOfKSpaceTraversal = "RECTILINEAR"
    data_set.RectilinearPhaseEncodeReordering = "LINEAR"
    data_set.SegmentedKSpaceTraversal = "PARTIAL"
    data_set.OversamplingPhase = "NONE"
    data_set.NumberOfKSpaceTrajectories = 1


def _add_dimensions(data_set: Dataset, dimension_uid: str) -> None:
    data_set.DimensionOrganizationSequence = Items([_item(DimensionOrganizationUID=dimension_uid)])
    data_set.DimensionIndexSequence = Items(
        [
            _item(DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111, DimensionOrganizationUID=dimension_uid)
            for pointer in (0x00209056, 0x00209057)  # StackID, InStackPositionNumber
        ]
    )


def _shared(images: SeriesImages) -> Dataset:
    acquisition, plane = images.acquisition, images.slices[0].plane
    region = _item(CodeValue="122494005", CodingSchemeDesignator="SCT", CodeMeaning="Cervical spine")
    frame_type = _item(
        FrameType=_image_type(acquisition),
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast=contrast_word(acquisition),
    )
    measures = _item(
        PixelSpacing=decimal_strings(plane.spacing),
        SliceThickness=images.thickness_mm,
        SpacingBetweenSlices=images.spacing_between_slices_mm,
    )
    return _item(
        PixelMeasuresSequence=Items([measures]),
        FrameAnatomySequence=Items([_item(FrameLaterality="U", AnatomicRegionSequence=Items([region]))]),
        FrameVOILUTSequence=Items([_item(WindowCenter=500, WindowWidth=1000)]),
        PixelValueTransformationSequence=Items([_item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")]),
        MRImageFrameTypeSequence=Items([frame_type]),
        MREchoSequence=Items([_item(EffectiveEchoTime=acquisition.echo_time_ms)]),
        **_mr_groups(acquisition, plane),
    )


def _mr_groups(acquisition: Acquisition, plane: ImagePlane) -> dict[str, Items]:
    absorption = _item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.0)
    timing = _item(
        RepetitionTime=acquisition.repetition_time_ms,
        FlipAngle=acquisition.flip_angle_deg,
        EchoTrainLength=acquisition.echo_train_length,
        RFEchoTrainLength=acquisition.echo_train_length,
        GradientEchoTrainLength=0,
        OperatingModeSequence=Items([_item(OperatingModeType="RF", OperatingMode="IEC_NORMAL")]),
        SpecificAbsorptionRateSequence=Items([absorption]),
        GradientOutputType="DB_DT",
        GradientOutput=10.0,
    )
    view = _item(
        InPlanePhaseEncodingDirection="COLUMN",
        MRAcquisitionFrequencyEncodingSteps=plane.columns,
        MRAcquisitionPhaseEncodingStepsInPlane=plane.rows,
        PercentSampling=100,
        PercentPhaseFieldOfView=100,
    )
    return {
        "MRTimingAndRelatedParametersSequence": Items([timing]),
        "MRFOVGeometrySequence": Items([view]),
        "MRModifierSequence": Items([_modifier(acquisition)]),
        "MRImagingModifierSequence": Items([_imaging_modifier()]),
        "MRReceiveCoilSequence": Items([_receive_coil()]),
        "MRTransmitCoilSequence": Items([_transmit_coil()]),
        "MRAveragesSequence": Items([_item(NumberOfAverages=2)]),
    }


def _modifier(acquisition: Acquisition) -> Dataset:
    modifier = _item(
        InversionRecovery="NO" if acquisition.inversion_time_ms is None else "YES",
        FlowCompensation="NONE",
        Spoiling="NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    if acquisition.inversion_time_ms is not None:
        modifier.InversionTimes = [acquisition.inversion_time_ms]
    return modifier


def _imaging_modifier() -> Dataset:
    return _item(
        MagnetizationTransfer="NONE", BloodSignalNulling="NO", Tagging="NONE", TransmitterFrequency=123.25, PixelBandwidth=250.0
    )


def _receive_coil() -> Dataset:
    return _item(
        ReceiveCoilName="PHANTOM NECK",
        ReceiveCoilManufacturerName="SYNTHETIC",
        ReceiveCoilType="MULTICOIL",
        QuadratureReceiveCoil="YES",
        MultiCoilDefinitionSequence=Items([_item(MultiCoilElementName="A1", MultiCoilElementUsed="YES")]),
    )


def _transmit_coil() -> Dataset:
    return _item(TransmitCoilName="PHANTOM BODY", TransmitCoilManufacturerName="SYNTHETIC", TransmitCoilType="BODY")


def _per_frame(plane: ImagePlane, number: int, dimension_uid: str) -> Dataset:
    content = _item(
        FrameAcquisitionNumber=1,
        FrameReferenceDateTime=_DATE_TIME,
        FrameAcquisitionDateTime=_DATE_TIME,
        FrameAcquisitionDuration=180000.0,
        StackID="1",
        InStackPositionNumber=number,
        DimensionIndexValues=[1, number],
    )
    position = _item(ImagePositionPatient=decimal_strings(plane.position))
    directions = np.concatenate([plane.along_row, plane.along_column])
    orientation = _item(ImageOrientationPatient=decimal_strings(directions))
    return _item(
        FrameContentSequence=Items([content]),
        PlanePositionSequence=Items([position]),
        PlaneOrientationSequence=Items([orientation]),
    )
