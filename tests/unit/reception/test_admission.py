"""Watermark and statuses."""

import pytest

from node.domain.errors import PermanentError, Reason, TransientError
from node.reception.admission import DiskWatermark, StoreStatus, status_of


@pytest.mark.parametrize(("free_mb", "association", "instance"), [(2000, True, True), (1999, False, True), (999, False, False)])
def test_running_associations_may_use_half_of_what_is_left(free_mb: float, association: bool, instance: bool):
    watermark = DiskWatermark(2000, lambda: free_mb)
    assert watermark.admits_association() is association
    if instance:
        watermark.require_room()
    else:
        with pytest.raises(TransientError):
            watermark.require_room()


def test_a_transient_error_asks_the_peer_to_send_again():
    assert status_of(TransientError(Reason.DISK_FULL, "")) is StoreStatus.OUT_OF_RESOURCES == 0xA700
    assert status_of(PermanentError(Reason.UID_INVALID, "")) is StoreStatus.CANNOT_UNDERSTAND == 0xC000
