"""The DICOM Conformance Statement (PS3.2 annex A) as Markdown, from the tables that the code itself uses."""

from collections.abc import Iterable, Iterator, Sequence

from pydicom.uid import UID

from node import __version__
from node.config import TLS_1_2_CIPHERS, Config, PeerConfig
from node.delivery import Archive, native_transfer_syntaxes, sop_classes_of
from node.domain.report import ReportKind
from node.reception import StoreStatus, accepted_contexts, implementation
from node.reporting import private_codes

_STATUS_MEANINGS = {
    StoreStatus.SUCCESS: "The instance is on disk and survives a power cut.",
    StoreStatus.OUT_OF_RESOURCES: "The disk is full or refuses; send again later.",
    StoreStatus.MISMATCH: "The data set is not the instance that the request names.",
    StoreStatus.CANNOT_UNDERSTAND: "The head of the data set cannot be parsed, or a UID in it is none (PS3.5 section 9.1).",
}
_KIND_MEANINGS = {
    ReportKind.SEG: "Segmentation of spinal cord and canal, one for each source series (BINARY)",
    ReportKind.SR: "Measurements with their lines, verdicts and reasons (TID 1500); as Comprehensive SR where 3D is refused",
    ReportKind.PR: "The same lines and numbers over the images, one for each source series",
    ReportKind.KO: "The decisive images (TID 2010)",
    ReportKind.SC: "Summary page",
    ReportKind.SR_LINES: "The measured lines, one SR for each source series (TID 1500)",
    ReportKind.SR_VOLUMES: "Volumes of cord and canal (TID 1500)",
}


def conformance_statement(config: Config) -> str:
    """Return the statement for a configuration: AE titles, ports and limits are those in force."""
    return "\n".join([*_overview(), *_acceptor(config), *_initiator(config), *_security(config), *_contents()]) + "\n"


def _overview() -> Iterator[str]:
    yield f"# DICOM Conformance Statement: cspine-node {__version__}"
    yield ""
    yield "For research use only; not a medical device. Printed by `cspine-node conformance` from the tables that the code uses."
    yield ""
    yield "## 1 Overview"
    yield ""
    yield "The node receives cervical MR studies, segments spinal cord and canal, measures compression, and"
    yield "sends the results back."
    yield ""
    kinds = [*_classes(one for kind in ReportKind for one in sop_classes_of(kind))]
    rows = [("Verification", "yes", "yes"), ("All storage classes of section 2.1 (transfer)", "no", "yes")]
    rows += [(f"{uid.name} (results)", "yes", "yes") for uid in kinds]
    rows += [("Storage Commitment Push Model", "yes", "no"), *((one.name, "yes", "no") for one in Archive.SERVICES)]
    yield from _table(("network service", "SCU", "SCP"), rows)
    yield "No media, no printing, no query or retrieve as SCP. No private SOP class, transfer syntax or attribute."
    yield ""


def _acceptor(config: Config) -> Iterator[str]:
    reception = config.reception
    yield "## 2 Association acceptance (STORAGE-SCP)"
    yield ""
    rows = [
        ("Application entity title", reception.ae_title),
        ("Port", str(reception.port)),
        ("Application context", "1.2.840.10008.3.1.1.1"),
        ("Implementation class UID, version name", ", ".join(implementation())),
        ("Called AE title", "must be ours" if reception.require_called_ae_title else "any"),
        ("Calling AE titles", ", ".join(reception.allowed_calling_ae_titles) or "any"),
        ("Networks", ", ".join(reception.allowed_networks) or "any"),
        ("Associations at once, of one address", f"{reception.maximum_associations}, {reception.maximum_associations_per_peer}"),
        ("Maximum PDU received", f"{reception.maximum_pdu_bytes} bytes"),
        ("Time for negotiation (ARTIM)", f"{reception.association_timeout_s:g} s"),
        ("Time without traffic; for a PDU to be whole", f"{reception.idle_timeout_s:g} s"),
        ("Time for a message to be whole", f"{reception.message_timeout_s:g} s"),
        ("Asynchronous operations", "not supported: one operation at a time"),
    ]
    yield from _table(("parameter", "value"), rows)
    yield "An association is rejected permanently (source 1, reason 1, 3 or 7) for its address or AE titles, and transiently"
    yield "(source 3, reason 2) while a limit of associations is reached or the disk is below its watermark."
    yield ""
    yield "### 2.1 Accepted presentation contexts"
    yield ""
    yield "Of the transfer syntaxes that a peer offers in one context, the first of each list is taken."
    yield ""
    contexts = accepted_contexts()
    for number, syntaxes in enumerate(dict.fromkeys(tuple(one.transfer_syntax) for one in contexts), 1):
        yield f"Transfer syntaxes {number}: " + "; ".join(f"{UID(one).name} ({one})" for one in syntaxes) + "."
        yield ""
        same = [one for one in contexts if tuple(one.transfer_syntax) == syntaxes]
        listed = [(UID(str(one.abstract_syntax)).name, str(one.abstract_syntax), _role(one.scu_role)) for one in same]
        yield from _table(("SOP class", "UID", "our role"), listed)
    yield "### 2.2 Storage"
    yield ""
    yield "Instances are kept as they were sent, byte for byte (level 2, full); no element is coerced. An"
    yield "instance that is sent again"
    yield "replaces the earlier one. Only MR Image, Enhanced MR Image and Legacy Converted Enhanced MR Image"
    yield "Storage open a study for analysis."
    yield ""
    yield from _table(("C-STORE status", "meaning"), [(f"{one.value:04X}", _STATUS_MEANINGS[one]) for one in StoreStatus])


def _role(is_scu: bool | None) -> str:
    return "SCP" if is_scu is None else "SCU (receives N-EVENT-REPORT)"


def _initiator(config: Config) -> Iterator[str]:
    yield "## 3 Association initiation (RESULT-SCU)"
    yield ""
    yield "One association for each destination and analysis. Each SOP class is proposed as encoded, and in " + " and ".join(
        f"{UID(one).name} ({one})" for one in native_transfer_syntaxes()
    )
    yield "in a context of its own. The same bytes with the same UIDs are sent again when an attempt fails"
    yield "(`destinations[].retry`)."
    yield ""
    rows = [(kind.value, one.name, str(one), _KIND_MEANINGS[kind]) for kind in ReportKind for one in sop_classes_of(kind)]
    yield from _table(("kind", "SOP class", "UID", "content"), rows)
    destinations = [
        (
            one.name,
            one.ae_title or "none (DICOMweb)",
            _place(one),
            ", ".join(one.objects),
            "yes" if one.storage_commitment else "no",
        )
        for one in config.destinations
    ]
    yield "### 3.1 Destinations in this configuration"
    yield ""
    yield from _table(("name", "AE title", "address", "objects", "storage commitment"), destinations)
    yield "C-STORE status A7xx of a peer is tried again; other failures are final for the object. With storage"
    yield "commitment results count"
    yield "as delivered when an N-EVENT-REPORT commits them, on the same association or on one to our SCP"
    yield "(PS3.4 annex J, push model)."
    yield ""
    yield "A destination with `dicomweb` gets results by STOW-RS (PS3.18 section 10.5) as user agent: POST to `/studies`,"
    yield 'multipart/related of type "application/dicom", one instance in a request, with its Part 10 file as encoded; the answer'
    yield "is asked for as application/dicom+json. An instance counts as stored when the Referenced SOP Sequence of the answer"
    yield "lists it. Connection failures, HTTP 401, 403, 404, 408, 429 and 5xx and reason A7xx are tried again; other failures"
    yield "are final for the object, 415 and reason 0122 after its fallback. `echo` asks for one study (QIDO-RS, limit 1)."
    yield ""
    yield from _retrieval(config)


def _place(peer: PeerConfig) -> str:
    return peer.dicomweb.url if peer.dicomweb is not None else f"{peer.host}:{peer.port}"


def _retrieval(config: Config) -> Iterator[str]:
    yield "### 3.2 Query and retrieval (`cspine-node fetch`, and priors)"
    yield ""
    yield from _table(("SOP class", "UID"), [(one.name, str(one)) for one in Archive.SERVICES])
    yield "Asked at STUDY level: Study Instance UID, Accession Number, Patient ID (single values), Study Date; at SERIES level:"
    yield "Study and Series Instance UID, Modality MR. No relational queries. Series are moved or got one by one; over C-GET we"
    yield f"are the SCP of {', '.join(one.name for one in Archive.RETRIEVED)}, in the native encodings."
    yield ""
    yield "A source with `priors` is asked once before each analysis, at STUDY level by Patient ID, Issuer of Patient ID (where"
    yield "the images have one), Study Date (range up to that of the study) and Modalities in Study SR; at SERIES level, of the"
    yield "latest studies, by Modality SR. Their SR are retrieved. One is used where it is a complete report of ours of the same"
    yield "patient (number, issuer, name, birth date and sex equal as stored) and of an earlier study. If there is no answer"
    yield "within `priors_timeout_s`, the report says so (R_PRIOR_UNASKED, section 5.1)."
    yield ""
    yield "Over DICOMweb: QIDO-RS `/studies` and `/studies/{study}/series` with the same keys,"
    yield 'WADO-RS `/studies/{study}/series/{series}` as multipart/related of type "application/dicom" with transfer-syntax=*.'
    yield ""
    sources = [
        (
            one.name,
            one.ae_title or "none",
            _place(one),
            "WADO-RS" if one.dicomweb else f"C-{one.retrieve.upper()}",
            "yes" if one.priors else "no",
        )
        for one in config.sources
    ]
    yield from _table(("source in this configuration", "AE title", "address", "retrieval", "priors"), sources)


def _security(config: Config) -> Iterator[str]:
    reception = config.reception
    yield "## 4 Character sets, security and configuration"
    yield ""
    yield "Results carry the Specific Character Set of their source; every set that pydicom decodes is read."
    yield "Added texts are ASCII,"
    yield "on the summary page also Chinese."
    yield ""
    yield f"TLS 1.2 or later, for TLS 1.2 the suites `{TLS_1_2_CIPHERS}` (BCP 195), with certificates of peers"
    yield "where `ca_file` is set."
    yield f"In this configuration reception is {'with' if reception.tls else 'without'} TLS. No audit messages over the network:"
    yield "`cspine-node audit` prints the trail. Every value is set in `config.yaml`; `cspine-node config schema` has its schema."
    yield ""


def _contents() -> Iterator[str]:
    yield "## 5 Results"
    yield ""
    yield "Every result is UNVERIFIED and of content qualification RESEARCH unless configured otherwise, in"
    yield "the study of its source, with"
    yield "new series. UIDs are derived from content (2.25), so the same analysis gives the same instances."
    yield "Source images are referenced"
    yield "by their UIDs, points of lines in patient coordinates (SCOORD3D) in the 3D SR and in pixels (SCOORD) in the other."
    yield ""
    yield "Known at readers: OHIF 3 and Cornerstone3D swap row and column spacing when they load an SR over"
    yield "images with non-square pixels,"
    yield "so lengths that the viewer itself computes from our points differ there from the numbers in the"
    yield "report (cornerstone3D#2758);"
    yield "the numbers in the report are those measured."
    yield ""
    yield "### 5.1 Private coding scheme 99CSMR"
    yield ""
    rows = [(code.value, code.meaning) for code in private_codes()]
    yield from _table(("code value", "code meaning"), rows)
    yield "A code value is never given another meaning. Other codes are of SNOMED CT, DCM, LOINC and UCUM."


def _classes(listed: Iterable[UID]) -> tuple[UID, ...]:
    return tuple(dict.fromkeys(listed))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
