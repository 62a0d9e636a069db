"""Who may connect, how often, and the statuses of our answers."""

import pytest

from node.config import ReceptionConfig
from node.domain.errors import PermanentError, Reason, TransientError
from node.reception.admission import DiskWatermark, PeerLimits, StoreStatus, printable, status_of


@pytest.mark.parametrize(("free_mb", "association", "instance"), [(2000, True, True), (1999, False, True), (999, False, False)])
def test_running_associations_may_use_half_of_what_is_left(free_mb: float, association: bool, instance: bool):
    watermark = DiskWatermark(2000, lambda: free_mb)
    assert (watermark.rejection() is None) is association
    if instance:
        watermark.require_room()
    else:
        with pytest.raises(TransientError):
            watermark.require_room()


def test_a_transient_error_asks_the_peer_to_send_again():
    assert status_of(TransientError(Reason.DISK_FULL, "")) is StoreStatus.OUT_OF_RESOURCES == 0xA700
    assert status_of(PermanentError(Reason.UID_INVALID, "")) is StoreStatus.CANNOT_UNDERSTAND == 0xC000


@pytest.mark.parametrize(
    ("title", "shown"),
    [(" MRI 1  ", "MRI 1"), ("A\x1b[31mB", "A?[31mB"), ("A\nB", "A?B"), ("Ä\u202eX", "??X"), ("X" * 40, "X" * 16), ("", "")],
)
def test_a_title_that_a_stranger_chose_moves_no_terminal(title: str, shown: str):
    assert printable(title) == shown


def limits(**fields: object) -> PeerLimits:
    return PeerLimits(ReceptionConfig.model_validate(fields))


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.1.2.7", True),
        ("10.1.3.7", False),
        ("192.0.2.9", True),
        ("192.0.2.8", False),
        ("fd00::7", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.1.2.7", True),
        ("::ffff:10.1.3.7", False),
    ],
)
def test_an_address_is_admitted_from_the_networks_only(address: str, admitted: bool):
    networks = ("10.1.2.0/24", "192.0.2.9", "fd00::/8")
    assert limits(allowed_networks=networks).admits(address) is admitted
    assert limits().admits(address)


def test_a_stranger_is_told_nothing_and_takes_no_place():
    guarded = limits(allowed_networks=("10.0.0.0/8",), maximum_associations=1)
    rejection = guarded.rejection("192.0.2.1", [])
    assert rejection is not None
    assert (rejection.result, rejection.source, rejection.diagnostic) == (1, 1, 1)
    strangers = ["192.0.2.1"] * 3
    assert guarded.may_connect("192.0.2.2", strangers)
    assert not guarded.may_connect("192.0.2.2", [*strangers, "192.0.2.3"])
    assert guarded.may_connect("10.0.0.1", [*strangers, "192.0.2.3"])


def test_one_peer_does_not_take_the_places_of_the_others():
    guarded = limits(maximum_associations=3, maximum_associations_per_peer=2)
    assert guarded.rejection("10.0.0.1", ["10.0.0.1"]) is None
    for others in (["10.0.0.1", "10.0.0.1"], ["10.0.0.2", "10.0.0.2", "10.0.0.3"]):
        rejection = guarded.rejection("10.0.0.1", others)
        assert rejection is not None
        assert (rejection.result, rejection.source, rejection.diagnostic) == (2, 3, 2)
    assert not guarded.may_connect("10.0.0.1", ["10.0.0.1"] * 4)
    assert guarded.may_connect("10.0.0.1", ["10.0.0.2"] * 4)
    assert not guarded.may_connect("10.0.0.1", ["10.0.0.2"] * 6)
