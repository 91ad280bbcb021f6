"""What conditions may ask of an MCP server."""

from pydantic import BaseModel, ConfigDict, Field

from lifesign.net.facts import TLSFacts


class HTTPAnswer(BaseModel):
    """The first HTTP answer."""

    status: int = Field(description="HTTP status of the first answer.")


class ServerInfo(BaseModel):
    """What the server says of itself."""

    name: str = Field(description="What the server calls itself.")
    version: str = Field(description="The version it says it has; may be empty.")


class ToolFacts(BaseModel):
    """The tool list."""

    count: int = Field(description="How many tools it lists.")
    names: list[str] = Field(description="The names of its tools, at most the first 100.")
    pages: int = Field(description="How many pages the list came on.")
    bytes: int = Field(description="How large the list is, in bytes of JSON.")


class SurfaceFacts(BaseModel):
    """What the server publishes, by content."""

    digest: str = Field(description="Names the whole of it; the same as long as nothing changes.")


class AuthFacts(BaseModel):
    """How the server deals with credentials."""

    state: str = Field(
        description="open, required (asked for properly), healthy (ours is taken), walled or broken."
    )
    scheme: str = Field(description="The scheme of its challenge, for example Bearer.")
    scopes: list[str] = Field(
        description="The scopes that its challenge, else its metadata, asks for; at most 50."
    )
    issuer: str = Field(description="The authorization server that it sends clients to.")
    resource_metadata: str = Field(
        description="Where its protected-resource metadata (RFC 9728) was found."
    )
    s256: bool = Field(description="Whether that authorization server announces PKCE with S256.")
    client_id_metadata: bool = Field(
        description="Whether it takes the address of a metadata document as a client id."
    )
    registration: bool = Field(description="Whether clients can register themselves there.")
    response_iss: bool = Field(
        description="Whether its authorization responses name their issuer (RFC 9207)."
    )


class CredentialFacts(BaseModel):
    """The credential of this monitor."""

    expires_at: str = Field(description="When it runs out.")
    expires_in_s: float = Field(description="Seconds until then; negative afterwards.")
    source: str = Field(description="How that is known: jwt, oauth, entered or certificate.")


class OpenFacts(BaseModel):
    """Facts by the names that the settings gave."""

    model_config = ConfigDict(extra="allow")


class CommonFacts(BaseModel):
    """What is known of a server whatever carries the messages."""

    latency_ms: float = Field(
        description="Milliseconds that the server took: connecting, the greeting and the tool list."
    )
    initialize_ms: float = Field(
        description="Milliseconds from sending the greeting to its whole reply, connecting left out."
    )
    era: str = Field(description="legacy (with a handshake) or modern (stateless).")
    transport: str = Field(description="http, sse (the old one of two addresses) or stdio.")
    server: ServerInfo
    protocol_version: str = Field(description="The protocol revision that was agreed on.")
    capabilities: list[str] = Field(description="The capabilities it declares, sorted.")
    session: bool = Field(description="Whether the server opened a session.")
    tools: ToolFacts
    surface: SurfaceFacts
    canary: OpenFacts
    health: OpenFacts
    resources: OpenFacts
    prompts: OpenFacts
    completion: OpenFacts
    stream: OpenFacts


class MCPFacts(CommonFacts):
    """What conditions may ask of an MCP server over HTTP."""

    http: HTTPAnswer
    ip: str = Field(description="The address that was connected to.")
    session_calls: OpenFacts
    framing: str = Field(description="How the greeting was answered: json, or sse for a stream.")
    auth: AuthFacts
    credential: CredentialFacts
    tls: TLSFacts = Field(description="The connection and its certificate.")
