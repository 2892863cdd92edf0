"""Lines that the project's tests decide."""

from typing import Final

from tools.verify.measuring import Measuring, Result, failed, passed
from tools.verify.suite import FILES, Case, summary

# Percent of the lines and branches of app/. What is not run by any test is worth nothing, and nobody has everything.
_ALL_POINTS: Final = 95.0
_NO_POINTS: Final = 70.0
_MOST_NAMED: Final = 20


def measure_tests(measuring: Measuring) -> Result:
    """Whether all of them pass."""
    return _judged(measuring.suite.cases, measuring.suite.output)


def measure_coverage(measuring: Measuring) -> Result:
    """How much of the application the tests run."""
    percent = measuring.suite.coverage
    if percent is None:
        return failed("the tests have left no measurement", measuring.suite.output)
    share = min(1.0, max(0.0, (percent - _NO_POINTS) / (_ALL_POINTS - _NO_POINTS)))
    return Result(share, f"{percent:.1f} % of lines and branches; {_ALL_POINTS:.0f} % is all the points")


def measure_access(measuring: Measuring) -> Result:
    """Who may call which route, by every kind of caller."""
    return _of("access", measuring)


def measure_tenancy(measuring: Measuring) -> Result:
    """Two tenants on one server, and nothing of the one comes to the other."""
    return _of("tenancy", measuring)


def measure_fuzz(measuring: Measuring) -> Result:
    """Every operation under fire, every answer held against the contract."""
    return _of("fuzz", measuring)


def _of(line: str, measuring: Measuring) -> Result:
    missing = [file for file in FILES[line] if not measuring.suite.of((file,))]
    if missing:
        return failed(f"no test ran in {' or '.join(missing)}", measuring.suite.output)
    return _judged(measuring.suite.of(FILES[line]), measuring.suite.output)


def _judged(cases: tuple[Case, ...], output: str) -> Result:
    if not cases:
        return failed("no test ran", output)
    bad = [case for case in cases if case.outcome != "passed"]
    if not bad:
        return passed(summary(cases))
    named = [f"{case.name}\n    {case.reason}" for case in bad[:_MOST_NAMED]]
    return failed(f"{summary(cases)}: {bad[0].name.rpartition('::')[2]}", "\n".join(named))
