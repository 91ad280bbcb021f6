"""What a faithful server says to one message, whatever carries it: JSON-RPC in, JSON-RPC out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lifesign.testing.offer import JSONObject, Memory, Offer, opened, page_of
from lifesign.testing.protocol import (
    CACHEABLE,
    HANDSHAKE_VERSIONS,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_STATUS,
    MODERN_VERSION,
    RESOURCE_NOT_FOUND,
    SERVER_KEY,
    Era,
)

LISTS = frozenset({"tools/list", "resources/list", "resources/templates/list", "prompts/list"})

TTL_MS = 60_000
"""How long results of the modern era may be kept."""


@dataclass(frozen=True)
class Said:
    """What is said: `message` is None where nothing is due. `notices` come before it, `seconds` before each."""

    message: JSONObject | None = None
    notices: tuple[JSONObject, ...] = ()
    seconds: float = 0.0
    status: int = 200


class RefusedError(Exception):
    """A request that is answered with a JSON-RPC error."""

    def __init__(self, number: int, message: str, **extra: object) -> None:
        super().__init__(message)
        self.error: dict[str, Any] = {"code": number, "message": message} | extra


_Method: TypeAlias = "Callable[[Dialogue, Mapping[str, Any]], dict[str, Any]]"


@dataclass
class Dialogue:
    """One server as MCP sees it. `offer` may be replaced at any time, as a redeployment does."""

    offer: Offer
    version: str | None = None
    capabilities: Mapping[str, Any] | None = None
    name: str = "faulty"
    release: str = "1.0"
    page_size: int = 100
    memory: Memory = field(default_factory=Memory)

    @property
    def declared(self) -> Mapping[str, Any]:
        """The capabilities that it declares."""
        return self.offer.capabilities if self.capabilities is None else self.capabilities

    @property
    def identity(self) -> dict[str, str]:
        """What it calls itself."""
        return {"name": self.name, "version": self.release}

    def answer(self, message: JSONObject, era: Era) -> Said:
        """What is said to one decoded message in an era, `LEGACY` or `MODERN`."""
        method, asked = message.get("method"), message.get("id")
        if not isinstance(method, str) or message.get("jsonrpc") != "2.0":
            refused = RefusedError(INVALID_REQUEST, "This is no JSON-RPC request.")
            return _refusal(asked, refused, 400)
        if "id" not in message:
            return Said(status=202)
        params = opened(message.get("params"))
        try:
            if method == "tools/call":
                return self._call(asked, params, era)
            serve = self._methods(era).get(method) or _unknown(method)
            return Said(_envelope(asked, self._dressed(method, serve(self, params), era)))
        except RefusedError as refused:
            return _refusal(asked, refused, _status(refused, era))

    def _methods(self, era: Era) -> Mapping[str, _Method]:
        lists: dict[str, _Method] = {name: _lister(name) for name in LISTS}
        shared: dict[str, _Method] = lists | {
            "resources/read": _reader(INVALID_PARAMS if era is Era.MODERN else RESOURCE_NOT_FOUND),
            "prompts/get": Dialogue._expand,
            "completion/complete": Dialogue._complete,
        }
        if era is Era.MODERN:
            return shared | {"server/discover": Dialogue._discover}
        return shared | {"initialize": Dialogue._initialize, "ping": lambda _, __: {}}

    def _dressed(self, method: str, result: dict[str, Any], era: Era) -> dict[str, Any]:
        """The result with what 2026-07-28 adds to every one."""
        if era is not Era.MODERN:
            return result
        dressed = {"resultType": "complete"} | result
        if method in CACHEABLE:
            dressed |= {"ttlMs": TTL_MS, "cacheScope": "public"}
        return dressed | {"_meta": {SERVER_KEY: self.identity}}

    def _initialize(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = params.get("protocolVersion")
        newest = HANDSHAKE_VERSIONS[-1]
        result: dict[str, Any] = {
            "protocolVersion": self.version or (wanted if wanted in HANDSHAKE_VERSIONS else newest),
            "capabilities": self.declared,
            "serverInfo": self.identity,
        }
        told = {"instructions": self.offer.instructions} if self.offer.instructions else {}
        return result | told

    def _discover(self, _: Mapping[str, Any]) -> dict[str, Any]:
        result = {"supportedVersions": [MODERN_VERSION], "capabilities": self.declared}
        told = {"instructions": self.offer.instructions} if self.offer.instructions else {}
        return result | told

    def page(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One page of a list."""
        key, entries = self.offer.listing(method)
        try:
            listed, after = page_of(entries, params.get("cursor"), self.page_size)
        except ValueError:
            raise RefusedError(INVALID_PARAMS, "No such cursor.") from None
        return {key: listed} | ({"nextCursor": after} if after else {})

    def read(self, uri: object, missing: int) -> dict[str, Any]:
        """The contents of a resource; `missing` is the error number of one that is not there."""
        if (found := self.offer.contents(uri)) is None:
            raise RefusedError(missing, f"No resource at {uri}.", data={"uri": uri})
        return {"contents": [{"uri": uri} | dict(found)]}

    def _expand(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if (found := self.offer.prompt(params.get("name"))) is None:
            raise RefusedError(INVALID_PARAMS, "No such prompt.")
        messages = found.expand(opened(params.get("arguments")))
        return {"messages": list(messages)}

    def _complete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        begun = str(opened(params.get("argument")).get("value", "")).lower()
        found = [word for word in self.offer.words if word.lower().startswith(begun)]
        return {"completion": {"values": found, "total": len(found), "hasMore": False}}

    def _call(self, asked: object, params: Mapping[str, Any], era: Era) -> Said:
        tool = self.offer.tool(params.get("name"))
        if tool is None:
            raise RefusedError(INVALID_PARAMS, f"Unknown tool: {params.get('name')}")
        outcome = tool.act(opened(params.get("arguments")), self.memory)
        result = self._dressed("tools/call", outcome.result, era)
        token = opened(params.get("_meta")).get("progressToken")
        steps = 0 if token is None else outcome.progress
        notices = tuple(_progress(token, step, steps) for step in range(1, steps + 1))
        return Said(_envelope(asked, result), notices, outcome.seconds)


def _status(refused: RefusedError, era: Era) -> int:
    """The handshake era answers with 200 what it could read; 2026-07-28 has a status for each error."""
    return MODERN_STATUS.get(refused.error["code"], 200) if era is Era.MODERN else 200


def _unknown(method: str) -> _Method:
    def refuse(_: Dialogue, __: Mapping[str, Any]) -> dict[str, Any]:
        raise RefusedError(METHOD_NOT_FOUND, f"Method not found: {method}")

    return refuse


def _lister(method: str) -> _Method:
    return lambda dialogue, params: dialogue.page(method, params)


def _reader(missing: int) -> _Method:
    """The number of "not found" changed from −32002 to −32602 with 2026-07-28."""
    return lambda dialogue, params: dialogue.read(params.get("uri"), missing)


def _progress(token: object, step: int, steps: int) -> JSONObject:
    params = {"progressToken": token, "progress": step, "total": steps}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def _envelope(asked: object, result: JSONObject) -> JSONObject:
    return {"jsonrpc": "2.0", "id": asked, "result": result}


def _refusal(asked: object, refused: RefusedError, status: int) -> Said:
    return Said({"jsonrpc": "2.0", "id": asked, "error": refused.error}, status=status)
