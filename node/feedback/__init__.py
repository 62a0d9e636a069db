"""Tell what an object that came back from a PACS says of our results: accepted, corrected, rejected, or nothing.

In: the path of one stored SR, SEG, key object selection or content assessment, and the identities of our own results of its
study. Out: a :class:`Judgement`, None for an object that does not speak of them. Nothing of its texts is kept.
"""

from node.feedback.content import Content, read_content
from node.feedback.judging import Judgement, OwnResult, judge, own_result

__all__ = ["Content", "Judgement", "OwnResult", "judge", "own_result", "read_content"]
