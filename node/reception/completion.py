"""When is a study complete? Pure: time is an argument, in seconds of any clock that only goes forward."""

import math
import re
from dataclasses import dataclass, field

from node.config import CompletionConfig
from node.domain.identity import SeriesInstanceUID, StudyInstanceUID


@dataclass(slots=True)
class _OpenStudy:
    first_s: float
    last_s: float
    last_by_series: dict[SeriesInstanceUID, float] = field(default_factory=dict)
    series_by_requirement: dict[str, set[SeriesInstanceUID]] = field(default_factory=dict)
    elsewhere_s: float = -math.inf


class StudyAssembler:
    """Holds the studies that are still being received and says which of them are complete.

    A study is complete when nothing of it arrived for ``quiet_s``; or when each expression of ``required_series``
    has a series that matches it and was quiet for ``required_quiet_s``; or ``maximum_s`` after its first instance.
    A complete study is forgotten; if more of it arrives it opens again.
    """

    def __init__(self, config: CompletionConfig) -> None:
        self._config = config
        self._required = tuple(re.compile(pattern, re.IGNORECASE) for pattern in config.required_series)
        self._open: dict[StudyInstanceUID, _OpenStudy] = {}

    def __contains__(self, study_instance_uid: StudyInstanceUID) -> bool:
        return study_instance_uid in self._open

    def __len__(self) -> int:
        return len(self._open)

    @property
    def reaction_s(self) -> float:
        """Shortest time after an arrival in which a study can become complete."""
        config = self._config
        return min(config.quiet_s, config.required_quiet_s) if self._required else config.quiet_s

    def note(
        self,
        study_instance_uid: StudyInstanceUID,
        series_instance_uid: SeriesInstanceUID,
        now_s: float,
        series_description: str = "",
    ) -> None:
        """Note that an instance arrived; opens its study."""
        study = self.reopen(study_instance_uid, now_s)
        study.last_by_series[series_instance_uid] = max(now_s, study.last_by_series.get(series_instance_uid, -math.inf))
        for required in self._required:
            if required.search(series_description):
                study.series_by_requirement.setdefault(required.pattern, set()).add(series_instance_uid)

    def reopen(self, study_instance_uid: StudyInstanceUID, now_s: float) -> _OpenStudy:
        """Open a study of which nothing new arrived: it waits for ``quiet_s`` again."""
        study = self._open.setdefault(study_instance_uid, _OpenStudy(now_s, now_s))
        study.last_s = max(now_s, study.last_s)
        return study

    def heed(self, study_instance_uid: StudyInstanceUID, at_s: float) -> None:
        """Note that something of an open study arrived at another receiver, which knows its series better than we do."""
        study = self.reopen(study_instance_uid, at_s)
        study.elsewhere_s = max(at_s, study.elsewhere_s)

    def candidates(self, now_s: float) -> tuple[StudyInstanceUID, ...]:
        """Return the studies that are complete, those that are due longest first."""
        due = sorted((at, uid) for uid, study in self._open.items() if (at := self._due_at(study)) <= now_s)
        return tuple(uid for _, uid in due)

    def due(self, now_s: float) -> tuple[StudyInstanceUID, ...]:
        """Return the studies that are complete, those that are due longest first, and forget them."""
        due = self.candidates(now_s)
        for uid in due:
            del self._open[uid]
        return due

    def next_due_s(self) -> float:
        """Return when the next study becomes complete if nothing more arrives; infinity if none is open."""
        return min((self._due_at(study) for study in self._open.values()), default=math.inf)

    def _due_at(self, study: _OpenStudy) -> float:
        return min(study.last_s + self._config.quiet_s, study.first_s + self._config.maximum_s, self._required_at(study))

    def _required_at(self, study: _OpenStudy) -> float:
        """Return when each requirement has a series that was quiet; infinity if a series is still missing."""
        if not self._required or len(study.series_by_requirement) < len({r.pattern for r in self._required}):
            return math.inf
        quiet_from = (min(study.last_by_series[uid] for uid in found) for found in study.series_by_requirement.values())
        return max(*quiet_from, study.elsewhere_s) + self._config.required_quiet_s
