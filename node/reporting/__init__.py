"""Report an analysis: DICOM SEG and SR, ``measurements.json`` and overlay pictures, in one folder, all or nothing.

In: an :class:`~node.domain.analysis.Analysis` and section ``reporting`` of the configuration.
Out: a folder of finished files and the :class:`~node.domain.report.ReportObject` of each DICOM object in it. The same analysis
gives the same bytes. It never measures, never changes a value, never writes a withheld one, and sends nothing.
"""

from node.reporting.browse import BrowsedSeries
from node.reporting.build import build_report, write_declined
from node.reporting.codes import private_codes
from node.reporting.document import MeasurementsDocument
from node.reporting.folder import read_report, report_content
from node.reporting.measurements_json import measured_document, measurements_schema, read_measurements
from node.reporting.prior import measurement_report, read_prior
from node.reporting.provenance import Software
from node.reporting.reasons_zh import chinese_reason

__all__ = [
    "BrowsedSeries",
    "MeasurementsDocument",
    "Software",
    "build_report",
    "chinese_reason",
    "measured_document",
    "measurement_report",
    "measurements_schema",
    "private_codes",
    "read_measurements",
    "read_prior",
    "read_report",
    "report_content",
    "write_declined",
]
