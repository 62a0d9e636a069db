"""Section ``reporting``: how result objects are labelled."""

from typing import Literal

from pydantic import Field

from node.config.section import Section

# ASCII without backslash: these words must fit into every character set that a source may bring (PS3.5 section 6.2).
_ASCII = r"^[ -\[\]-~]+$"


class ReportingConfig(Section):
    """How result objects are labelled."""

    manufacturer: str = Field(
        "cspine-node", min_length=1, max_length=64, pattern=_ASCII, description="Manufacturer in the result objects."
    )
    station_name: str = Field(
        "CSPINE", min_length=1, max_length=16, pattern=_ASCII, description="StationName in the result objects."
    )
    device_serial_number: str = Field(
        "1", min_length=1, max_length=64, pattern=_ASCII, description="DeviceSerialNumber in the result objects."
    )
    content_qualification: Literal["RESEARCH", "SERVICE", "PRODUCT"] = Field(
        "RESEARCH", description="ContentQualification of every result: RESEARCH, SERVICE or PRODUCT."
    )
    language: Literal["en", "zh-CN"] = Field(
        "en", description="Language of the summary page and its pictures: en or zh-CN; the DICOM attributes stay English."
    )
