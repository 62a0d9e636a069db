"""A real Orthanc on free ports in a temporary folder: the PACS of the tests."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.config import DestinationConfig
from tests.support.external import free_port, require_tool, wait_until

# The settings that the demo, the containers and the tests share.
_SETTINGS = Path(__file__).resolve().parents[2] / "docker" / "orthanc.json"


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc; ``get``, ``post`` and ``bytes_of`` speak its REST interface."""

    http_port: int
    dicom_port: int
    ae_title: str = "ORTHANC"

    def destination(self, name: str = "orthanc", **changes: object) -> DestinationConfig:
        """Return this Orthanc as a destination."""
        fields = {"name": name, "host": "127.0.0.1", "port": self.dicom_port, "ae_title": self.ae_title, "timeout_s": 10.0}
        return DestinationConfig.model_validate(fields | changes)

    def web_destination(self, name: str = "web", **changes: object) -> DestinationConfig:
        """Return its DICOMweb service as a destination."""
        url = f"http://127.0.0.1:{self.http_port}/dicom-web"
        return DestinationConfig.model_validate({"name": name, "dicomweb": {"url": url}, "timeout_s": 10, **changes})

    def get(self, path: str) -> Any:
        """Return the JSON at a path such as ``/instances``."""
        return json.loads(self.bytes_of(path))

    def post(self, path: str, body: object) -> Any:
        """Send JSON to a path and return the JSON that comes back."""
        return json.loads(self._request(path, json.dumps(body).encode()))

    def bytes_of(self, path: str) -> bytes:
        """Return the bytes at a path, for example ``/instances/ID/file``."""
        return self._request(path, None)

    def find(self, sop_instance_uid: str) -> list[str]:
        """Return Orthanc's ids of the instances with a SOP Instance UID."""
        return list(self.post("/tools/find", {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}))

    def is_up(self) -> bool:
        """Return whether it answers."""
        try:
            self.get("/system")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _request(self, path: str, body: bytes | None) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", body, timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def running_orthanc(
    folder: Path, node_port: int | None = None, changes: Mapping[str, object] | None = None, where: Orthanc | None = None
) -> Iterator[Orthanc]:
    """Run Orthanc until the block is left.

    Parameters
    ----------
    node_port
        Port of a node that Orthanc knows as the modality ``CSPINE``.
    changes
        Fields of Orthanc's configuration to set otherwise, for example ``{"LuaScripts": [...]}``.
    where
        An Orthanc that ran before: take its ports.
    """
    program = require_tool("Orthanc")
    orthanc = where or Orthanc(free_port(), free_port())
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(orthanc, folder, node_port) | dict(changes or {})), encoding="utf-8")
    log = (folder / "orthanc.log").open("wb")
    with log, subprocess.Popen([program, str(configuration)], stdout=log, stderr=log) as process:
        try:
            wait_until(orthanc.is_up, f"Orthanc answers, see {log.name}", deadline_s=30)
            yield orthanc
        finally:
            process.terminate()


def _configuration(orthanc: Orthanc, folder: Path, node_port: int | None) -> dict[str, object]:
    node = {"AET": "CSPINE", "Host": "127.0.0.1", "Port": node_port or 1, "AllowStorageCommitment": True}
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    settings: dict[str, object] = json.loads(_SETTINGS.read_text(encoding="utf-8"))
    return settings | {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": orthanc.ae_title,
        "DicomPort": orthanc.dicom_port,
        "HttpPort": orthanc.http_port,
        "DicomModalities": {"CSPINE": node},
        "Plugins": [str(plugin)] if plugin.exists() else [],
    }
