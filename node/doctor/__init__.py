"""Finds out what is wrong here: each check says what it found and, if something is wrong, what to do."""

from node.doctor.check import Check, CheckResult
from node.doctor.checks import run_checks
from node.doctor.models import model_checks

__all__ = ["Check", "CheckResult", "model_checks", "run_checks"]
