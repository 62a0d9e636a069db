"""The assembler under any order of arrivals, failures and waiting."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from node.config import CompletionConfig
from node.domain.identity import SeriesInstanceUID, StudyInstanceUID
from node.reception import StudyAssembler

QUIET_S, REQUIRED_QUIET_S, MAXIMUM_S = 10.0, 3.0, 40.0
STUDIES = st.sampled_from([StudyInstanceUID(f"1.{number}") for number in range(3)])
SERIES = st.sampled_from([SeriesInstanceUID(f"2.{number}") for number in range(3)])
DESCRIPTIONS = st.sampled_from(["sag", "ax", "localizer", ""])


class Assembler(RuleBasedStateMachine):
    """A study is due exactly if the plain definition, computed from all its arrivals, says so."""

    def __init__(self) -> None:
        super().__init__()
        config = CompletionConfig(
            quiet_s=QUIET_S, required_series=("sag", "ax"), required_quiet_s=REQUIRED_QUIET_S, maximum_s=MAXIMUM_S
        )
        self.assembler = StudyAssembler(config)
        self.now_s = 0.0
        self.arrivals: dict[StudyInstanceUID, list[tuple[float, SeriesInstanceUID | None, str]]] = {}

    @rule(study=STUDIES, series=SERIES, description=DESCRIPTIONS)
    def arrive(self, study: StudyInstanceUID, series: SeriesInstanceUID, description: str) -> None:
        self.assembler.note(study, series, self.now_s, description)
        self.arrivals.setdefault(study, []).append((self.now_s, series, description))

    @rule(study=STUDIES)
    def reopen(self, study: StudyInstanceUID) -> None:
        self.assembler.reopen(study, self.now_s)
        self.arrivals.setdefault(study, []).append((self.now_s, None, ""))

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.5, 9.5, 10.0, 39.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def take(self) -> None:
        expected = {study for study, arrivals in self.arrivals.items() if self._due_at(arrivals) <= self.now_s}
        assert set(self.assembler.due(self.now_s)) == expected
        for study in expected:
            del self.arrivals[study]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert all(study in self.assembler for study in self.arrivals)
        assert len(self.assembler) == len(self.arrivals)
        assert self.assembler.next_due_s() == min(map(self._due_at, self.arrivals.values()), default=math.inf)

    @staticmethod
    def _due_at(arrivals: list[tuple[float, SeriesInstanceUID | None, str]]) -> float:
        last_of = {series: max(at for at, other, _ in arrivals if other == series) for _, series, _ in arrivals if series}
        quiet_at = [
            min((last_of[series] for _, series, text in arrivals if series and text == wanted), default=math.inf)
            for wanted in ("sag", "ax")
        ]
        return min(arrivals[-1][0] + QUIET_S, arrivals[0][0] + MAXIMUM_S, max(quiet_at) + REQUIRED_QUIET_S)


TestAssembler = Assembler.TestCase
TestAssembler.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
