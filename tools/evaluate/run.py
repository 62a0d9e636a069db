"""Cases one after the other through the node."""

from collections.abc import Callable, Sequence

from node.domain.errors import NodeError
from tools.evaluate.case import CaseSource
from tools.evaluate.compare import compare, declined_result
from tools.evaluate.folds import Folds
from tools.evaluate.results import CaseResult


def evaluate_cases(sources: Sequence[CaseSource], folds: Folds, tell: Callable[[str], None]) -> list[CaseResult]:
    """Return the result of each case; one that the node declines or cannot read is a result, not an end.

    The cases of one folder of models are done together, so that each model is loaded once.

    Parameters
    ----------
    tell
        Is told the name of each case before its turn.
    """
    results = []
    for source in sorted(sources, key=lambda one: str(folds.folder_of(one.person))):
        tell(source.name)
        results.append(_result(source, folds))
    return results


def _result(source: CaseSource, folds: Folds) -> CaseResult:
    library = folds.library_of(source.person)
    try:
        return compare(source.load(), library)
    except NodeError as error:
        return declined_result(source.name, source.person, error)
