"""What is usual in healthy adults: Zhu et al. 2024, 160 adults, doi:10.1002/acm2.14282."""

from node.domain.anatomy import Structure
from node.domain.measurement import Quantity

#: Lowest and highest value by quantity and structure, in the unit of the quantity (mm, mm2).
HEALTHY_RANGES: dict[tuple[Quantity, Structure], tuple[float, float]] = {
    (Quantity.AP_DIAMETER, Structure.SPINAL_CORD): (5.47, 10.12),
    (Quantity.AP_DIAMETER, Structure.SPINAL_CANAL): (7.38, 17.58),
    (Quantity.TRANSVERSE_DIAMETER, Structure.SPINAL_CORD): (9.11, 16.02),
    (Quantity.CROSS_SECTIONAL_AREA, Structure.SPINAL_CORD): (53.71, 110.32),
    (Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, Structure.SPINAL_CORD): (53.71, 110.32),
}
