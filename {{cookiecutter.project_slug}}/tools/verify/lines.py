"""What is measured, and what each line is worth. What is critical refuses alone."""

from typing import Final

from tools.verify.application import measure_boot, measure_start
from tools.verify.code import measure_contract, measure_layers, measure_lint, measure_types
from tools.verify.dependencies import measure_audit, measure_lock
from tools.verify.image import measure_image
from tools.verify.leaks import measure_leaks
from tools.verify.measuring import Line
from tools.verify.schema import measure_drift, measure_locks, measure_there_and_back
from tools.verify.tests import measure_access, measure_coverage, measure_fuzz, measure_tenancy, measure_tests

# The lowest score that passes.
BAR: Final = 80

LINES: Final = (
    Line("lint", "ruff: rules and format", 5, measure_lint),
    Line("types", "mypy --strict", 8, measure_types, critical=True),
    Line("layers", "which module may import which", 5, measure_layers),
    Line("secrets", "none in what git hands on", 6, measure_leaks, critical=True),
    Line("lock", "each dependency pinned, with hashes", 4, measure_lock, critical=True),
    Line("audit", "known vulnerabilities of what is locked", 4, measure_audit),
    Line("drift", "migrations make what the models say", 5, measure_drift, critical=True),
    Line("down", "migrations go up, down and up again", 4, measure_there_and_back),
    Line("locks", "migrations do not stop a table that is in use", 5, measure_locks),
    Line("contract", "openapi.yaml and ir.json are what is served", 4, measure_contract),
    Line("image", "the Dockerfile: who runs, what is in it", 3, measure_image),
    Line("boot", "installed from the lock, started, called", 8, measure_boot, critical=True),
    Line("start", "seconds to the first answer", 2, measure_start),
    Line("tests", "the whole suite", 13, measure_tests, critical=True),
    Line("coverage", "how much of app/ the tests run", 6, measure_coverage),
    Line("access", "each route, by each kind of caller", 7, measure_access, critical=True),
    Line("tenancy", "nothing of one workspace reaches another", 6, measure_tenancy, critical=True),
    Line("fuzz", "the contract under fire", 5, measure_fuzz, critical=True),
)
