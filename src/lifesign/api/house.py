"""Tokens, health, kinds and trials over HTTP: what belongs to the whole house."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from lifesign.api.doors import Admin, Operator, Reader
from lifesign.api.replies import JSONObject, Listing, reply, takes
from lifesign.channels.registry import ChannelKinds
from lifesign.core.errors import InvalidError
from lifesign.core.scope import Grant
from lifesign.probes.registry import Kinds
from lifesign.service.drafts import MonitorDraft, Seconds
from lifesign.service.keys import TokenKind
from lifesign.service.services import Services
from lifesign.service.settings import pydantic_problems, sentences
from lifesign.service.views import Health, TokenView, Trial


class TokenDraft(BaseModel):
    """A token as it is asked for."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=100, description="What it is for.")
    grant: Grant = Field(default=Grant.READ, description="read, operate or admin.")
    expires_in: Seconds | None = Field(
        default=90 * 86_400.0, description="How long it is good for; null for no end."
    )
    kind: TokenKind = Field(default="user", description="Who will use it.")


class Caller(BaseModel):
    """Who is calling."""

    actor: str
    grant: Grant
    tenant: str


class KindView(BaseModel):
    """A kind of monitor or channel, with the schema that its form is made of."""

    name: str
    title: str
    summary: str
    settings_schema: dict[str, Any]
    facts_schema: dict[str, Any] | None = None
    passive: bool | None = None
    ladder: list[str] | None = None
    interval_s: float | None = None


def house_routes(services: Services, *, kinds: Kinds, channel_kinds: ChannelKinds) -> APIRouter:
    """Everything that is not about one monitor, alert or channel."""
    router = APIRouter()
    _add_tokens(router, services)
    _add_reads(router, services)
    _add_kinds(router, kinds, channel_kinds)

    @router.post("/try", response_model=Trial, tags=["monitors"], openapi_extra=takes(MonitorDraft))
    async def try_monitor(
        scope: Operator,
        draft: JSONObject,
        monitor: Annotated[
            str, Query(max_length=200, description="A monitor whose secrets `***` stands for.")
        ] = "",
    ) -> Response:
        """Probe once, save nothing: what adding this would show."""
        return reply(await services.trials.run(scope, draft, id=monitor))

    return router


def _add_tokens(router: APIRouter, services: Services) -> None:
    @router.get("/tokens", response_model=Listing[TokenView], tags=["tokens"])
    async def list_tokens(scope: Admin) -> Response:
        """All tokens, newest first, without their secrets."""
        items = await services.people.tokens(scope)
        return reply({"items": items, "next_cursor": None, "total": len(items)})

    @router.post(
        "/tokens", status_code=201, response_model=TokenView, tags=["tokens"],
        openapi_extra=takes(TokenDraft),
    )  # fmt: skip
    async def create_token(scope: Admin, body: JSONObject) -> Response:
        """Make a token; its secret is in this answer and never shown again."""
        try:
            draft = TokenDraft.model_validate(body)
        except ValidationError as error:
            problems = pydantic_problems(error, TokenDraft)
            said = sentences(problems)
            raise InvalidError(f"The token cannot be made: {said}", problems=problems) from None
        view = await services.people.create_token(
            scope, name=draft.name, grant=draft.grant, expires_in=_life(draft.expires_in),
            kind=draft.kind,
        )  # fmt: skip
        return reply(view, status=201)

    @router.delete("/tokens/{id}", status_code=204, tags=["tokens"])
    async def revoke_token(scope: Admin, id: str) -> Response:
        """End a token at once."""
        await services.people.revoke_token(scope, id)
        return Response(None, 204)


def _life(seconds: float | None) -> timedelta | None:
    if seconds is None:
        return None
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        reason = "is not a length of time"
        raise InvalidError(
            f"The token cannot be made: expires_in {reason}.", problems=(("expires_in", reason),)
        ) from None


def _add_reads(router: APIRouter, services: Services) -> None:
    @router.get("/health", response_model=Health, tags=["health"])
    async def health(scope: Reader) -> Response:
        """How Lifesign itself is."""
        return reply(await services.status.health(scope))

    @router.get("/me", response_model=Caller, tags=["health"])
    async def me(scope: Reader) -> Response:
        """Who is calling, and with which grant."""
        return reply(asdict(scope))


def _add_kinds(router: APIRouter, kinds: Kinds, channel_kinds: ChannelKinds) -> None:
    @router.get("/kinds", response_model=Listing[KindView], tags=["kinds"])
    async def list_kinds(_scope: Reader) -> Response:
        """The kinds of monitor, with the schemas of their settings and facts."""
        return _kinds_reply(
            [
                KindView(
                    name=kind.name, title=kind.title, summary=kind.summary,
                    settings_schema=kind.settings.model_json_schema(),
                    facts_schema=kind.facts.model_json_schema(),
                    passive=kind.passive, ladder=list(kind.ladder), interval_s=kind.interval_s,
                )
                for kind in kinds.values()
            ]
        )  # fmt: skip

    @router.get("/channel-kinds", response_model=Listing[KindView], tags=["kinds"])
    async def list_channel_kinds(_scope: Reader) -> Response:
        """The kinds of channel, with the schemas of their settings."""
        return _kinds_reply(
            [
                KindView(
                    name=kind.name, title=kind.title,
                    summary=(kind.settings.__doc__ or "").strip().partition("\n")[0],
                    settings_schema=kind.settings.model_json_schema(),
                )
                for kind in channel_kinds.values()
            ]
        )  # fmt: skip


def _kinds_reply(kinds: list[KindView]) -> Response:
    items = [kind.model_dump() for kind in kinds]
    return reply({"items": items, "next_cursor": None, "total": len(items)})
