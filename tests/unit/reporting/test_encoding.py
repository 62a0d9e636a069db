"""A content tree that is encoded here is, byte for byte, the one that pydicom writes."""

import pytest
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes as dicom_codes

from node.config import ReportingConfig
from node.domain.measurement import Verdict
from node.reporting import codes
from node.reporting.encoding import ObjectWriter
from node.reporting.ko import build_ko
from node.reporting.library import image_library
from node.reporting.provenance import Provenance, Software
from node.reporting.source import read_source
from node.reporting.sr import Heading, build_sr, models_of, points_of, preliminary_document
from node.reporting.sr_content import groups_of


@pytest.fixture(scope="module")
def provenance(analysis):
    return Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)


@pytest.fixture(scope="module")
def sources(analysis):
    return {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}


@pytest.mark.parametrize("build", [build_sr, build_ko])
def test_a_document_is_what_pydicom_writes(analysis, sources, provenance, build, tmp_path):
    document = build(analysis, sources, provenance)
    document.save_as(tmp_path / "theirs.dcm", enforce_file_format=True)
    writer = ObjectWriter()
    for name in ("ours.dcm", "again.dcm"):
        writer.write(document, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "theirs.dcm").read_bytes()
    assert "ContentSequence" in document


def test_a_text_that_depends_on_the_character_set_is_refused(analysis, sources, provenance, tmp_path):
    document = build_sr(analysis, sources, provenance)
    text = Dataset()
    text.TextValue = "Rückenmark"
    document.ContentSequence = Items([*document.ContentSequence, text])
    with pytest.raises(UnicodeEncodeError):
        ObjectWriter().write(document, tmp_path / "refused.dcm")


def test_an_instance_that_is_not_among_the_evidence_is_refused(analysis, sources, provenance):
    images = [header for source in sources.values() for header in source.instance_headers]
    code = dicom_codes.DCM.CurrentProcedureDescriptions
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid="1.2.3", identifier="one"), finding_type=code
    )
    report = sr.MeasurementReport(
        observation_context=provenance.observation_context(),
        procedure_reported=code,
        imaging_measurements=[group],
        referenced_images=images,
    )
    with pytest.raises(ValueError, match="not among its evidence"):
        preliminary_document(report[0], images[:1], Heading("SR", 1, "one"), "f", provenance, is_complete=True)


def test_the_image_library_is_what_highdicom_makes_of_every_image(sources, provenance):
    images = [header for source in sources.values() for header in source.instance_headers]
    code = dicom_codes.DCM.CurrentProcedureDescriptions
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid="1.2.3", identifier="one"), finding_type=code
    )

    def report(**library):
        return sr.MeasurementReport(provenance.observation_context(), code, [group], **library)

    theirs = report(referenced_images=images)[0].ContentSequence[-2]
    assert image_library(images).to_json() == theirs.to_json()


def test_a_measurement_group_is_what_highdicom_makes_of_it(analysis, sources, provenance):
    document = build_sr(analysis, sources, provenance)
    algorithms = {role: provenance.algorithm(models) for role, models in models_of(analysis).items()}
    groups = groups_of(analysis)
    assert any(group.level_of_minimum for group in groups)
    assert any(number.method for group in groups for number in group.numbers)
    for ours, group in zip(document.ContentSequence[-1].ContentSequence, groups, strict=True):
        theirs = _by_highdicom(group, sources[group.place.role], algorithms[group.place.role], ours.ContentSequence[1].UID)
        assert ours.to_json() == theirs.to_json()


def _by_highdicom(group, source, algorithm, uid):
    frame = source.volume.sources[group.place.evidence.slice_index]
    image = sr.SourceImageForRegion(frame.instance.sop_class_uid, frame.instance.sop_instance_uid)
    said = [(codes.QUALITY, codes.VERDICTS[group.verdict])]
    said += [(codes.QUALITY_REASON, code) for code in dict.fromkeys(codes.reason_code(one.code) for one in group.findings)]
    if group.level_of_minimum is not None and group.verdict is not Verdict.WITHHOLD:
        said.append((codes.MAXIMUM_LEVEL, codes.LEVELS[group.level_of_minimum]))
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=group.name),
        referenced_region=sr.ImageRegion("POLYLINE", points_of(group.place.evidence, source), image),
        finding_category=codes.ANATOMICAL_STRUCTURE,
        finding_type=group.finding,
        finding_sites=[sr.FindingSite(site) for site in group.sites],
        algorithm_id=algorithm,
        measurements=[sr.Measurement(one.name, one.value, one.unit, method=one.method) for one in group.numbers] or None,
        qualitative_evaluations=[sr.QualitativeEvaluation(*one) for one in said],
    )[0]
