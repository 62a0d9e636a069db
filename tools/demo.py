"""Run a synthetic cervical study through the whole node over DICOM and show what comes back.

Usage: make demo, or: python tools/demo.py [--folder demo]

A scanner (C-STORE) sends the study to the node; the node analyses it and sends SEG and SR to a PACS: Orthanc if it is
installed, else a second receiver of this node as a stand-in. Everything runs on loopback, on free ports, and ends with
the script.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from node.cli.analyze import print_measurements  # noqa: E402 - the repository is put on the path first
from tools.phantom.study import PhantomSettings, write_phantom_study  # noqa: E402
from tools.stand_in_pacs import Pacs, open_pacs  # noqa: E402

NODE_AE, SCANNER_AE = "CSPINE", "SCANNER"
QUIET_S = 2.0
PATIENCE_S = 170.0
SEED = 12

console = Console()


@click.command()
@click.option(
    "--folder", default=ROOT / "demo", type=click.Path(file_okay=False, path_type=Path), help="Where everything is written."
)
def demo(folder: Path) -> None:
    """Send a synthetic study through the node and print the measurements beside the truth."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print(f"1. writing a synthetic study of one patient to {folder / 'study'}", highlight=False)
    write_phantom_study(folder / "study", PhantomSettings(seed=SEED, compressions=1, minimum_mscc_percent=12))
    with ExitStack() as stack:
        pacs = stack.enter_context(open_pacs(folder / "pacs", free_port(), free_port()))
        console.print(f"2. PACS: {pacs.description}", highlight=False)
        config_path = write_config(folder, pacs)
        stack.enter_context(running_node(config_path, folder))
        console.print("3. the node is ready; sending the study over DICOM", highlight=False)
        send(folder, study_files(folder / "study"))
        history = wait_for_delivery(config_path)
        results = result_folder(folder)
        console.print("4. the results are in the PACS:", highlight=False)
        for line in pacs.results():
            console.print(f"   {line}", highlight=False, soft_wrap=True)
        print_measurements(results, console)
        print_truth(folder / "study" / "truth.json", results)
    console.print(f"state: {history['study']['state']}; {time.monotonic() - started:.0f} s in all", highlight=False)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_config(folder: Path, pacs: Pacs) -> Path:
    """Write the node's configuration and the scanner's, and return the node's."""
    port = free_port()
    reception = {"ae_title": NODE_AE, "bind_address": "127.0.0.1", "port": port, "minimum_free_disk_mb": 100}
    reception["completion"] = {"quiet_s": QUIET_S}
    destination = {"name": "pacs", "host": "127.0.0.1", "port": pacs.port, "ae_title": pacs.ae_title}
    node = {"store": "file:node/store", "database": "sqlite:node/jobs.db", "reception": reception, "destinations": [destination]}
    node |= {"web": {"enabled": False}}
    scanner = {
        "reception": {"ae_title": SCANNER_AE},
        "destinations": [{**destination, "name": "node", "port": port, "ae_title": NODE_AE}],
    }
    # JSON is YAML.
    (folder / "scanner.yaml").write_text(json.dumps(scanner, indent=2), encoding="utf-8")
    path = folder / "config.yaml"
    path.write_text(json.dumps(node, indent=2), encoding="utf-8")
    return path


@contextmanager
def running_node(config_path: Path, folder: Path) -> Iterator[None]:
    """Run ``cspine-node serve`` until the end of the block; wait until receiver and worker are ready."""
    with (folder / "node.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command("serve", "--config", str(config_path)), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            wait_until(lambda: process.poll() is not None or is_ready(folder / "node.log"), "the node to be ready")
            if process.poll() is not None:
                raise SystemExit(f"the node did not start; see {folder / 'node.log'}")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def is_ready(log: Path) -> bool:
    """Whether receiver and worker have both said that they are ready."""
    text = log.read_text(encoding="utf-8")
    return "receiver ready" in text and "worker" in text.replace("receiver ready", "") and text.count(" ready") > 1


def command(*arguments: str) -> list[str]:
    """Return a command line of this node."""
    return [sys.executable, "-m", "node", *arguments]


def study_files(folder: Path) -> list[str]:
    """Return the DICOM files of the study, without the truth beside them."""
    return [str(path) for path in sorted(folder.rglob("*.dcm"))]


def send(folder: Path, files: list[str]) -> None:
    """Send files as the scanner does."""
    subprocess.run(command("send", "node", *files, "--config", str(folder / "scanner.yaml")), check=True, cwd=ROOT)


def wait_for_delivery(config_path: Path) -> dict[str, Any]:
    """Wait until the study has come to an end and return its history."""
    listing: list[dict[str, Any]] = []

    def ended() -> bool:
        listing[:] = json.loads(query(config_path, "list"))
        return bool(listing) and listing[0]["state"] in ("delivered", "declined", "failed")

    with console.status("analysing and delivering"):
        wait_until(ended, "the study to be delivered", pause_s=0.5)
    history: dict[str, Any] = json.loads(query(config_path, "show", listing[0]["study_instance_uid"]))
    if listing[0]["state"] != "delivered":
        raise SystemExit(f"the study was not delivered:\n{json.dumps(history, indent=2)}")
    return history


def query(config_path: Path, *arguments: str) -> str:
    """Return what ``cspine-node studies`` prints as JSON."""
    done = subprocess.run(
        command("studies", *arguments, "--json", "--config", str(config_path)),
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str, pause_s: float = 0.1) -> None:
    """Wait for a condition, and give up after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_S:.0f} s in vain for {what}")
        time.sleep(pause_s)


def result_folder(folder: Path) -> Path:
    """Return the folder of the one analysis."""
    (found,) = (folder / "node" / "store" / "results").glob("*/*/measurements.json")
    return found.parent


def print_truth(truth_path: Path, results: Path) -> None:
    """Print what was measured beside what the phantom was built with."""
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    measured = json.loads((results / "measurements.json").read_text(encoding="utf-8"))
    sagittal, axial = measured.get("sagittal") or {}, measured.get("axial") or {}
    table = Table(title="measured beside the phantom's truth", title_justify="left")
    for heading in ("", "measured", "truth"):
        table.add_column(heading)
    rows = (
        ("MSCC %", (sagittal.get("mscc") or {}).get("value_percent"), truth["mscc"]["value_percent"]),
        ("MCC %", (sagittal.get("mcc") or {}).get("value_percent"), truth["mcc"]["value_percent"]),
        ("TA mm2", axial.get("ta_mm2"), truth["axial"]["ta_mm2"]),
        ("AP mm", axial.get("ap_mm"), truth["axial"]["ap_mm"]),
        ("CR", axial.get("cr"), truth["axial"]["cr"]),
    )
    for name, value, true in rows:
        table.add_row(name, "withheld" if value is None else f"{value:.2f}", f"{true:.2f}")
    console.print(table)


if __name__ == "__main__":
    demo()
