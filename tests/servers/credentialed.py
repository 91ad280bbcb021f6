"""A monitor that shows a credential: its settings, its context, and what its tests share."""

import asyncio
import base64
import datetime as dt
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lifesign.clock import Clock, SystemClock
from lifesign.core.model import Reason
from lifesign.net import Net
from lifesign.net.failures import NetError
from lifesign.net.settings import BearerToken, SecretHeaders
from lifesign.probes.mcp.client.credentials import (
    ClientCertificate,
    Credentials,
    OAuthClient,
    OptionalOAuthClient,
)
from lifesign.probes.registry import ProbeContext
from servers.signin import SignIn

SECRET = "hunter2-hunter2"
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Settings(BaseModel):
    """The part of a monitor's settings that says who it is."""

    model_config = ConfigDict(frozen=True)

    url: str = "https://a.example/mcp"
    bearer_token: BearerToken = None
    headers: SecretHeaders = Field(default_factory=dict)
    oauth: OptionalOAuthClient = None
    client_certificate: ClientCertificate | None = None
    credential_expires_at: dt.date | None = None
    verify_tls: bool = True
    ca_pem: str | None = None


def at(clock: Clock | None = None, memory: MutableMapping[str, object] | None = None, **net: Any) -> ProbeContext:  # fmt: skip
    deadline = asyncio.get_running_loop().time() + 5
    kept = {} if memory is None else memory
    return ProbeContext(Net.open(**net), clock or SystemClock(), deadline, memory=kept)


def jwt(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]  # fmt: skip
    return ".".join((*texts, "c2ln"))


def client(server: SignIn, **more: Any) -> Credentials:
    more = {"token_url": f"{server.base}/token"} | more
    oauth = OAuthClient(client_id="probe", client_secret=SecretStr(SECRET), **more)
    return Credentials.of(Settings(url=server.endpoint, oauth=oauth))


async def authorization(credentials: Credentials, ctx: ProbeContext) -> str:
    return dict(await credentials.headers(ctx))["Authorization"]


async def trouble(credentials: Credentials, ctx: ProbeContext) -> str:
    """The message of the failure that asking for a token ends in."""
    with pytest.raises(NetError) as raised:
        await credentials.headers(ctx)
    failure = raised.value.failure
    assert (failure.layer, failure.code) == ("credential", "refresh_failed")
    assert failure.is_ours
    assert failure.reason is Reason.CREDENTIAL_EXPIRED
    assert failure.remedy
    assert SECRET not in repr(failure)
    return failure.message


# --- what is sent
