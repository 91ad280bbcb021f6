"""What stays the same from run to run of one monitor."""

from dataclasses import dataclass

from lifesign import __version__
from lifesign.net.http import URL, parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.settings import MCPSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays the same from run to run of one monitor, made once."""

    settings: MCPSettings
    url: URL
    headers: tuple[tuple[str, str], ...]
    tls: TLSOptions
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, settings: MCPSettings) -> "Plan":
        """Read the settings; the given headers replace ours of the same name."""
        given = [(name, value.get_secret_value()) for name, value in settings.headers.items()]
        if settings.bearer_token is not None:
            given.append(("Authorization", f"Bearer {settings.bearer_token.get_secret_value()}"))
        named = {name.lower() for name, _ in given}
        ours = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("User-Agent", f"lifesign-probe/{__version__}"),
        ]
        kept = [header for header in ours if header[0].lower() not in named]
        secrets = {value for _, value in given} | {value.partition(" ")[2] for _, value in given}
        return cls(
            settings=settings,
            url=parse_url(settings.url),
            headers=(*kept, *given),
            tls=TLSOptions(verify=settings.verify_tls, ca_pem=settings.ca_pem),
            secrets=tuple(
                sorted((secret for secret in secrets if len(secret) > 3), key=len, reverse=True)
            ),
        )
