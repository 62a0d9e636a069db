"""Masks and keypoints come in; measurements with evidence, verdict and coded reasons go out.

This stage never sees DICOM, files or the network, and never returns a number that its gate has withheld.
"""

from node.measurement.axial_series import measure_axial
from node.measurement.formulas import compression_percent, compression_ratio
from node.measurement.measure import measure_study
from node.measurement.outline import trace_outlines
from node.measurement.plausibility import sound_keypoints
from node.measurement.sagittal import cervical_slice, decisive_slice

__all__ = [
    "cervical_slice",
    "compression_percent",
    "compression_ratio",
    "decisive_slice",
    "measure_axial",
    "measure_study",
    "sound_keypoints",
    "trace_outlines",
]
