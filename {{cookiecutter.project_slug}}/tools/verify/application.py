"""Lines about the application as it would be deployed."""

from typing import Final

from tools.verify.measuring import Measuring, Result, failed, passed

# Seconds until the first answer, for which a rollout and a scale-up wait.
_ALL_POINTS: Final = 5.0
_NO_POINTS: Final = 20.0


def measure_boot(measuring: Measuring) -> Result:
    """Whether it installs, migrates, starts and answers."""
    boot = measuring.boot
    if boot.wrong:
        return failed(boot.wrong[0], "\n".join([*boot.wrong, boot.log]))
    return passed("installed with hashes, migrated, started; every call was answered as it should be")


def measure_start(measuring: Measuring) -> Result:
    """How long it takes from nothing to the first answer."""
    seconds = measuring.boot.seconds
    if seconds is None:
        return failed("not measured: it did not start")
    share = min(1.0, max(0.0, (_NO_POINTS - seconds) / (_NO_POINTS - _ALL_POINTS)))
    return Result(share, f"{seconds:.1f} s to the first answer; {_ALL_POINTS:.0f} s is all the points")
