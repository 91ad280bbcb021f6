"""One probe on the spot, nothing saved."""

from collections.abc import Mapping

from lifesign.core.scope import Scope
from lifesign.service.views import Trial


class Trials:
    """Trying things out."""

    async def run(self, scope: Scope, draft: Mapping[str, object]) -> Trial:
        """Probe what the draft says, once. Raises InvalidError with problems."""
        raise NotImplementedError

    def guess(self, text: str) -> tuple[str, dict[str, object]] | None:
        """The kind and settings that pasted text most likely means."""
        raise NotImplementedError
