"""Who made the results: the software, its models, and the device that the SR names as observer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ObservationContext,
    ObserverContext,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes

from node.config import ReportingConfig
from node.domain.prediction import ModelIdentity
from node.reporting.uids import derived_uid

_FAMILY = codes.DCM.ArtificialIntelligence


@dataclass(frozen=True, slots=True)
class Software:
    """Name and version that every result carries; selection knows own results by the name."""

    name: str
    version: str


def model_uid(model: ModelIdentity) -> str:
    """Return the Device UID of a trained network: another for every version and every set of weights."""
    return derived_uid(f"{model.name}/{model.version}/{model.sha256}", "device")


class Equipment(TypedDict):
    """What highdicom asks of the maker of every object, by its own parameter names."""

    manufacturer: str
    manufacturer_model_name: str
    software_versions: str
    device_serial_number: str
    content_qualification: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything about the maker of a result that goes into its objects."""

    software: Software
    settings: ReportingConfig
    models: tuple[ModelIdentity, ...]

    @property
    def device_uid(self) -> str:
        """UID of the device observer; another whenever software or weights change (IHE AIR)."""
        weights = "/".join(sorted(model.sha256 for model in self.models))
        return derived_uid(f"{self.software.name}/{self.software.version}/{weights}", "device")

    @property
    def equipment(self) -> Equipment:
        """The node as the equipment of an object, and what the object may be used for."""
        return Equipment(
            manufacturer=self.settings.manufacturer,
            manufacturer_model_name=self.software.name,
            software_versions=self.software.version,
            device_serial_number=self.settings.device_serial_number,
            content_qualification=self.settings.content_qualification,
        )

    def contribute(self, result: Dataset) -> None:
        """Name each model of the analysis in a result as contributing equipment.

        Every combination of model, version and weights is a device of its own, with a Device UID (IHE AIR). The UID of the node
        itself stands in the observer context. Source: PS3.3 section C.12.1.
        """
        others = result.get("ContributingEquipmentSequence") or ()
        result.ContributingEquipmentSequence = Items([*others, *(self._equipment(model) for model in self.models)])

    def _equipment(self, model: ModelIdentity) -> Dataset:
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = Items([CodedConcept.from_code(codes.DCM.ProcessingEquipment)])
        item.Manufacturer = self.settings.manufacturer
        item.ManufacturerModelName = model.name
        item.SoftwareVersions = model.version
        item.DeviceUID = model_uid(model)
        item.ContributionDescription = f"Trained network, SHA-256 of its weights {model.sha256}"
        return item

    def algorithm(self, models: Sequence[ModelIdentity]) -> AlgorithmIdentification:
        """Return TID 4019 for what the models found, with the hash of each one's weights."""
        return AlgorithmIdentification(
            name=self.software.name,
            version=self.software.version,
            parameters=[f"{model.name} {model.version} weights_sha256={model.sha256}" for model in models],
            family=_FAMILY,
            manufacturer=self.settings.manufacturer,
        )

    def segment_algorithm(self, model: ModelIdentity) -> AlgorithmIdentificationSequence:
        """Return the algorithm identification of a segment."""
        return AlgorithmIdentificationSequence(
            name=model.name,
            family=_FAMILY,
            version=model.version,
            source=self.settings.manufacturer,
            parameters={"weights_sha256": model.sha256},
        )

    def observation_context(self) -> ObservationContext:
        """Return TID 1001 with the node as the only observer: no person has confirmed anything."""
        return ObservationContext(observer_device_context=self.observer())

    def observer(self) -> ObserverContext:
        """Return TID 1002 with the node as a device."""
        device = DeviceObserverIdentifyingAttributes(
            uid=self.device_uid,
            name=self.settings.station_name,
            manufacturer_name=self.settings.manufacturer,
            model_name=self.software.name,
            serial_number=self.settings.device_serial_number,
        )
        return ObserverContext(codes.DCM.Device, device)
