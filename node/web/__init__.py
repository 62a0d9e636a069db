"""The web role: the dashboard for administrators and radiologists, its JSON twins, metrics and health.

In: the job database, the store and the configuration. Out: pages, made by pure functions of what was read.
It analyses nothing, changes no result, and shows no name, number or birth date of a patient.
"""

from node.web.password import hash_password, load_credentials
from node.web.server import run_web

__all__ = ["hash_password", "load_credentials", "run_web"]
