from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId
from node.jobs import Task


def test_analysis_is_named_after_study_announcement_and_attempt():
    task = Task.analysis(StudyInstanceUID("1.2"), arrival=3, attempt=2)
    assert task.workflow_id == "analyse:1.2:3:2"
    assert task.arguments == ("1.2", 3, 2, "")
    assert task.options() == {"workflow_name": "analyse", "queue_name": "analyse", "workflow_id": "analyse:1.2:3:2"}


def test_delivery_runs_in_the_lane_of_its_destination():
    task = Task.delivery(AnalysisId("a1"), "pacs", attempt=4, first_attempt=3)
    assert task.arguments == ("a1", "pacs", 4, 3)
    options = task.options(delay_s=30.0)
    assert (options["workflow_id"], options["queue_partition_key"], options["delay_seconds"]) == (
        "deliver:a1:pacs:4",
        "pacs",
        30.0,
    )
