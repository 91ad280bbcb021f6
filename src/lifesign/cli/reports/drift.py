"""What a server publishes now against a manifest of the repository."""

from lifesign.cli.manifest_source import Source
from lifesign.cli.output import clean
from lifesign.cli.reports.values import Compared
from lifesign.core.drift.compare import compare
from lifesign.core.model import Observation


def against(baseline: Source, observed: Observation) -> Compared:
    """Compare with the baseline; what could not be read whole is told as that, and not as drift."""
    surface, name = observed.surface, clean(baseline.name)
    if surface is None or surface.document is None:
        return Compared(name, unread=_why(observed))
    if surface.digest == baseline.manifest.digest and dict(surface.hashes) == dict(
        baseline.manifest.hashes
    ):
        return Compared(name)
    return Compared(name, compare(baseline.manifest.document, surface.document))


def _why(observed: Observation) -> str:
    failure = observed.failure
    if failure is not None:
        return f"The lists could not be read ({failure.layer}/{failure.code})."
    if observed.facts.get("auth.state") == "required":
        return "The server shows its lists only to who signs in."
    return "The lists could not be read whole."
