"""The words of the Model Context Protocol that the server needs: revisions, keys of `_meta`, error numbers, steps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions that begin with `initialize`, oldest first."""

MODERN_VERSION = "2026-07-28"
"""The revision without a handshake: every request says for itself who asks, and in which version."""

META = "io.modelcontextprotocol/"
VERSION_KEY = META + "protocolVersion"
CAPABILITIES_KEY = META + "clientCapabilities"
SERVER_KEY = META + "serverInfo"
SUBSCRIPTION_KEY = META + "subscriptionId"

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

MODERN_STATUS: Mapping[int, int] = MappingProxyType(
    {
        PARSE_ERROR: 400,
        INVALID_REQUEST: 400,
        INVALID_PARAMS: 400,
        HEADER_MISMATCH: 400,
        MISSING_CAPABILITY: 400,
        UNSUPPORTED_VERSION: 400,
        METHOD_NOT_FOUND: 404,
    }
)
"""The HTTP status of each error in the revision of 2026-07-28; 200 for the others."""

NAMED_BY: Mapping[str, str] = MappingProxyType(
    {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
)
"""Which parameter the header `Mcp-Name` repeats."""

CACHEABLE = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)
"""The methods whose results say how long they may be kept (`ttlMs`, `cacheScope`)."""

STEPS: Mapping[str, str] = MappingProxyType(
    {
        "server/discover": "discover",
        "initialize": "initialize",
        "notifications/initialized": "initialized",
        "ping": "ping",
        "tools/list": "tools_list",
        "tools/call": "tools_call",
        "resources/list": "resources_list",
        "resources/templates/list": "templates_list",
        "resources/read": "resources_read",
        "prompts/list": "prompts_list",
        "prompts/get": "prompts_get",
        "completion/complete": "completion",
        "subscriptions/listen": "listen",
    }
)
"""The step that each method is; an answer of one's own is given to a step by this name."""


class Era(StrEnum):
    """Which revisions a server speaks: those with a handshake, the one without, or all on one URL."""

    LEGACY = "legacy"
    MODERN = "modern"
    DUAL = "dual"


class Transport(StrEnum):
    """Streamable HTTP, or the older pair of a GET stream and POSTs (HTTP+SSE of 2024-11-05)."""

    HTTP = "http"
    SSE = "sse"


def now() -> datetime:
    """The present, in UTC. This room imports nothing of the product, so it asks the machine itself."""
    return datetime.now(UTC)  # noqa: TID251 - the Clock belongs to the product
