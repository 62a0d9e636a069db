"""Stands in for the node as the second set of models calls it.

``python shadow_stub.py REPORT CODE analyze SERIES... --out DIR --config FILE`` copies a prepared report to --out,
and ends with CODE; ``hang`` never ends.
"""

import shutil
import sys
import threading


def main(report: str, code: str, *arguments: str) -> int:
    if code == "hang":
        threading.Event().wait()
    if code == "1":
        sys.stderr.write("skipped /a/DOE^JANE.dcm: not_dicom\nerror: model_missing: no such model\n")
        return 1
    shutil.copytree(report, arguments[arguments.index("--out") + 1])
    return int(code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
