"""Masks and keypoints come in; measurements with evidence, verdict and coded reasons go out.

This stage never sees DICOM, files or the network, and never returns a number that its gate has withheld.
"""

from node.measurement.formulas import compression_percent, compression_ratio
from node.measurement.measure import measure_study
from node.measurement.sagittal import decisive_slice

__all__ = ["compression_percent", "compression_ratio", "decisive_slice", "measure_study"]
