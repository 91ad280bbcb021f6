"""A token that is asked for before the server is: OAuth 2.1 with client credentials, kept and renewed."""

import asyncio
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from lifesign.net.failures import NetError
from lifesign.net.http import URL, parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.client.aside import Aside
from lifesign.probes.mcp.client.lookup import find_resource, find_server
from lifesign.probes.mcp.client.metadata import (
    Kinship,
    ProtectedResource,
    kinship,
    shown_address,
    why_insecure,
)
from lifesign.probes.mcp.client.tokens import (
    AuthMethod,
    Client,
    Refused,
    Token,
    read_token,
    token_form,
    token_headers,
)
from lifesign.probes.mcp.sheet import failed
from lifesign.probes.registry import ProbeContext

SHARE = 0.4
"""At most this part of the time that is left goes into getting a token."""

NAMED_METADATA = "mcp.auth.named"
"""Where in a monitor's memory the address is kept that the last challenge named for the metadata."""

_MEMORY = "mcp.auth.token"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
"""RFC 6749 §3.3."""


class OAuthClient(BaseModel):
    """Gets a token from an authorization server with a client id and secret, and renews it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: str = Field(
        min_length=1,
        max_length=1000,
        title="Client id",
        description="The id of a client made for this monitor, with read-only scope.",
    )
    client_secret: SecretStr = Field(
        min_length=1,
        max_length=8192,
        title="Client secret",
        description="The secret of that client.",
    )
    issuer: str | None = Field(
        default=None,
        title="Issuer",
        description="The authorization server that the client belongs to; its metadata names the token endpoint.",
    )
    token_url: str | None = Field(
        default=None,
        title="Token endpoint",
        description="Where tokens are asked for. Without it and without an issuer, the server's own metadata leads there.",
    )
    scope: str = Field(
        default="",
        max_length=2000,
        title="Scope",
        description="The scopes to ask for, with a blank between them; empty asks for the client's usual ones.",
    )
    resource: str | None = Field(
        default=None,
        max_length=2000,
        title="Resource",
        description="Whom the token is for (RFC 8707); when empty, what the server's metadata says, else the endpoint.",
    )
    auth_method: Literal["auto", "basic", "post"] = Field(
        default="auto",
        title="Client authentication",
        description=(
            "`basic` sends id and secret in a header (client_secret_basic), `post` in the form (client_secret_post); "
            "`auto` is what the authorization server's metadata names, else `basic`."
        ),
    )

    @field_validator("issuer", "token_url")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address and (problem := why_insecure(address)):
            raise ValueError(f"the address {problem}; secrets are only sent over https")
        return address or None

    @field_validator("scope")
    @classmethod
    def _check_scope(cls, scope: str) -> str:
        words = " ".join(scope.split())
        if words and not _SCOPE.fullmatch(words):
            raise ValueError("scopes are ASCII words without quotes, with a blank between them")
        return words

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        if self.issuer and self.token_url:
            raise ValueError("give the issuer or the token endpoint, not both")
        return self


def _none_when_blank(given: object) -> object:
    """A form always sends its choices: a client with nothing but those was left empty."""
    if not isinstance(given, dict):
        return given
    said = {name for name, value in given.items() if value not in (None, "")}
    return given if said - {"auth_method"} else None


OptionalOAuthClient = Annotated[OAuthClient | None, BeforeValidator(_none_when_blank)]


@dataclass(frozen=True, slots=True)
class _Way:
    """Where tokens come from, whom they are for, and how a client says there who it is."""

    url: str
    resource: str
    method: AuthMethod = "basic"


@dataclass(slots=True)
class _Held:
    """What one monitor keeps between runs. `is_stuck` tells that the last try to renew the token failed."""

    settings: OAuthClient
    token: Token | None = None
    way: _Way | None = None
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Gets tokens for one endpoint; what came is kept in the monitor's memory."""

    settings: OAuthClient
    endpoint: URL
    tls: TLSOptions

    async def token(self, ctx: ProbeContext) -> Token:
        """A token with some life left. Raises `NetError` with a failure of the credential layer."""
        held = self._held(ctx.memory)
        now = ctx.clock.now()
        if held.token is not None and held.token.is_fresh(now):
            return held.token
        try:
            return await self._renew(held, ctx)
        except NetError:
            # What is left of its life is used up before anything is called broken.
            if held.token is None or not held.token.is_valid(now):
                raise
            held.is_stuck = True
            return held.token

    async def another(self, ctx: ProbeContext) -> Token:
        """A new token in place of one that the server refused. Raises `NetError` like `token`."""
        return await self._renew(self._held(ctx.memory), ctx)

    def kept(self, ctx: ProbeContext) -> Token | None:
        """The token that is held, whatever it is worth."""
        return self._held(ctx.memory).token

    def ends_at(self, ctx: ProbeContext) -> datetime | None:
        """The end of a token that cannot be renewed; None for one that can, for its end is no concern."""
        held = self._held(ctx.memory)
        return held.token.expires_at if held.is_stuck and held.token is not None else None

    def _held(self, memory: MutableMapping[str, object]) -> _Held:
        held = memory.get(_MEMORY)
        if not isinstance(held, _Held) or held.settings != self.settings:
            held = memory[_MEMORY] = _Held(self.settings)
        return held

    async def _renew(self, held: _Held, ctx: ProbeContext) -> Token:
        now = asyncio.get_running_loop().time()
        deadline = now + (ctx.deadline - now) * SHARE
        aside = Aside(ctx.net, self.endpoint, self.tls)
        try:
            held.way = way = held.way or await self._find_way(aside, ctx, deadline)
            token = await self._ask(aside, way, held.token, ctx.clock.now(), deadline)
        except NetError:
            held.way = None
            raise
        held.token, held.is_stuck = token, False
        return token

    async def _ask(
        self, aside: Aside, way: _Way, kept: Token | None, now: datetime, deadline: float
    ) -> Token:
        """With the refresh token if there is one; when that has run out, with the client's own secret."""
        refresh = kept.refresh if kept is not None else ""
        if refresh:
            found = await self._post(aside, way, now, deadline, refresh=refresh)
            if isinstance(found, Token):
                return found if found.refresh else replace(found, refresh=refresh)
        found = await self._post(aside, way, now, deadline)
        if isinstance(found, Refused):
            raise _no_token(way.url, found.what)
        return found

    async def _post(
        self, aside: Aside, way: _Way, now: datetime, deadline: float, *, refresh: str = ""
    ) -> Token | Refused:
        client = self._client(way)
        try:
            page = await aside.post_form(
                parse_url(way.url),
                token_form(client, refresh=refresh),
                headers=token_headers(client),
                deadline=deadline,
            )
        except NetError as error:
            raise _no_token(way.url, _clause(error)) from None
        return read_token(page, now=now)

    def _client(self, way: _Way) -> Client:
        settings = self.settings
        return Client(
            settings.client_id,
            settings.client_secret.get_secret_value(),
            scope=settings.scope,
            resource=way.resource,
            method=way.method,
        )

    def _method(self, offered: tuple[str, ...]) -> AuthMethod:
        """How the client says who it is. A server that names no way takes the header (RFC 8414 §2)."""
        if self.settings.auth_method != "auto":
            return self.settings.auth_method
        is_form_only = "client_secret_post" in offered and "client_secret_basic" not in offered
        return "post" if is_form_only else "basic"

    async def _find_way(self, aside: Aside, ctx: ProbeContext, deadline: float) -> _Way:
        settings = self.settings
        resource, issuer = settings.resource or str(self.endpoint), settings.issuer
        if settings.token_url:
            return _Way(settings.token_url, resource, self._method(()))
        if not issuer:
            published = await self._find_resource(aside, ctx, deadline)
            issuer = published.servers[0]
            # Exactly as it is published: authorization servers compare it as a text.
            resource = settings.resource or published.resource
        search = await find_server(aside, parse_url(issuer), deadline=deadline)
        if search.document is None:
            raise _no_token(issuer, f"its metadata cannot be had ({search.troubles})")
        named = search.document.issuer
        if named.rstrip("/") != issuer.rstrip("/"):
            raise _no_token(issuer, f"its metadata calls the issuer {shown_address(named)}")
        document = search.document
        return _Way(document.token_endpoint, resource, self._method(document.auth_methods))

    async def _find_resource(
        self, aside: Aside, ctx: ProbeContext, deadline: float
    ) -> ProtectedResource:
        """What leads to the authorization server. The secret goes there, so nothing doubtful is followed."""
        named = ctx.memory.get(NAMED_METADATA)
        hint = named if isinstance(named, str) else ""
        search = await find_resource(aside, self.endpoint, named=hint, deadline=deadline)
        place = self.endpoint.shown
        if search.document is None:
            raise _no_token(place, f"it leads to no authorization server ({search.troubles})")
        document = search.document
        if kinship(document.resource, self.endpoint) is Kinship.OTHER:
            other = shown_address(document.resource)
            raise _no_token(place, f"its metadata is that of another resource, {other}")
        if problem := why_insecure(document.servers[0], named_by=self.endpoint):
            other = shown_address(document.servers[0])
            raise _no_token(place, f"it names the authorization server {other}, which {problem}")
        return document


def _no_token(place: str, what: str) -> NetError:
    message = f"Getting a token from {shown_address(place)}: {what}."
    return NetError(failed("credential", "refresh_failed", message))


def _clause(error: NetError) -> str:
    return error.failure.message.removesuffix(".")
