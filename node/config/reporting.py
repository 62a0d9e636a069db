"""Section ``reporting``: how result objects are labelled."""

from typing import Literal

from pydantic import Field

from node.config.section import Section


class ReportingConfig(Section):
    """How result objects are labelled."""

    manufacturer: str = Field("cspine-node", min_length=1, max_length=64, description="Manufacturer in the result objects.")
    station_name: str = Field("CSPINE", min_length=1, max_length=16, description="StationName in the result objects.")
    device_serial_number: str = Field("1", min_length=1, max_length=64, description="DeviceSerialNumber in the result objects.")
    content_qualification: Literal["RESEARCH", "SERVICE", "PRODUCT"] = Field(
        "RESEARCH", description="ContentQualification of every result: RESEARCH, SERVICE or PRODUCT."
    )
