"""Every way in which an MCP server can fail, as layer and code: what it means, its public reason, what to do.

One table, so that the probe, its documentation and the fault-injecting server of `lifesign.testing` speak the same
words. The layers below MCP (dns, tcp, tls, and transfer over http) have theirs in `net/failures.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lifesign.core.model import Reason

P, T = Reason.PROTOCOL_ERROR, Reason.TIMEOUT
W, C = Reason.AUTH_WALLED, Reason.CANARY_FAILED
H, X = Reason.HEALTH_CHECK_FAILED, Reason.CREDENTIAL_EXPIRED


@dataclass(frozen=True, slots=True)
class Code:
    """What one code means (the end of "this is told when …"), its public reason and the usual remedy."""

    reason: Reason
    meaning: str
    remedy: str


def _table(layer: str, **codes: tuple[Reason, str, str]) -> dict[tuple[str, str], Code]:
    return {(layer, name): Code(*parts) for name, parts in codes.items()}


CODES: Mapping[tuple[str, str], Code] = MappingProxyType(
    _table(
        "http",
        redirect_breaks_post=(P, "a redirect (301, 302, 303) turns the POST into a GET", "Redirect with 307 or 308, or give clients the final address."),
        redirect_downgrade=(P, "a redirect leads from https to http", "Tell the application that it stands behind TLS (X-Forwarded-Proto, forwarded_allow_ips), or add the slash to the address."),
        redirect_loop=(P, "redirects never end", "Break the redirect loop."),
        moved_redirect=(P, "a redirect leads to another host or nowhere", "Watch the new address and give it to clients."),
        not_found=(P, "the path does not exist (404)", "Check the path; many servers listen on /mcp."),
        method_not_allowed=(P, "the path takes no POST (405)", "Check that this path is the MCP endpoint and speaks Streamable HTTP."),
        not_acceptable=(P, "the server or its proxy refuses the Accept header (406)", "Check that no proxy strips or rewrites the Accept header."),
        payload_too_large=(P, "a small request is called too large (413)", "Raise the body limit of the proxy in front of the server."),
        unsupported_media_type=(P, "JSON is refused as a content type (415)", "Check that no proxy rewrites the Content-Type header."),
        invalid_host=(P, "the host name is not among those the server allows (421)", "Add the public host name to the server's allowed hosts; SDKs allow only localhost by default."),
        client_error=(P, "the request is refused with another 4xx", "Compare the request with what the server's log says about it."),
        rate_limited=(P, "the probe is asked to slow down (429)", "Probe less often, or exempt this probe."),
        overloaded=(P, "the server says that it is too busy (503 with Retry-After, too many sessions)", "Look for sessions that are never ended, and at the limits of the server."),
        maintenance_page=(P, "a maintenance page is shown (503)", "Wait, or announce the maintenance to this monitor."),
        gateway_error=(P, "a proxy or CDN got no good answer from the server (502, 504, 520–530)", "Look at the proxy's log; the server behind it is down, slow or cut off."),
        server_error=(P, "the server failed (another 5xx)", "Look at the server's log, and at the proxy in front of it."),
        html_body=(P, "a web page came instead of an answer", "Check the path: a catch-all page, a login or a proxy answers instead of the MCP server."),
        empty_body=(P, "nothing came where an answer was due", "Let the server answer requests with JSON or an event stream; an empty 202 is for notifications."),
        invalid_content_type=(P, "the answer is neither JSON nor an event stream by its own account", "Let the server answer with application/json or text/event-stream; strict clients refuse anything else."),
        blocked_by_waf=(P, "a filter in front of the server wants a browser (challenge page, HTTP 403 with HTML)", "Let the filter pass clients by User-Agent or path; no MCP client can solve its challenge."),
        origin_refused=(P, "the server refuses this origin or host (403)", "Allow requests without an Origin header, and the public host name."),
        body_too_large=(P, "the answer is larger than is read", "Page the lists, and look for what fills them."),
    )
    | _table(
        "auth",
        required=(W, "a credential is asked for properly: healthy, sign-in required", "Give this monitor a bearer token or header; the server itself answers as it should."),
        bare_401=(W, "a credential is asked for (401) without a challenge that says how to get one", "Send WWW-Authenticate: Bearer with resource_metadata (RFC 9728), or give this monitor a credential."),
        challenge_invalid=(W, "the challenge of the 401 cannot be read or names no usable scheme", 'Send WWW-Authenticate: Bearer resource_metadata="…" (RFC 9728 §5.1).'),
        forbidden=(W, "the credential is known and not allowed (403)", "Give the credential the right it needs."),
        insufficient_scope=(W, "the credential lacks a scope that the server names (403 insufficient_scope)", "Give the credential that scope."),
        token_rejected=(W, "the server refuses the credential that was sent (401)", "Check whether the credential was revoked, and that its audience is this server."),
        jsonrpc_32001=(W, "a JSON-RPC error stands for a missing credential", "Answer with HTTP 401 and a challenge, so that clients can log in; or give a credential."),
        refused_oddly=(W, "a client without a credential is refused by something else than 401", "Answer with HTTP 401 and a challenge (WWW-Authenticate), so that clients know that they can log in."),
        tools_walled=(W, "the handshake is open and every later request asks for a credential", "Give this monitor a credential; challenge at the handshake so that clients log in at once."),
        prm_missing=(W, "no protected-resource metadata is served", "Serve /.well-known/oauth-protected-resource (RFC 9728) and name it in the challenge."),
        prm_invalid=(W, "the protected-resource metadata cannot be used", "Serve JSON with `resource` and at least one of `authorization_servers` (RFC 9728 §2)."),
        prm_resource_mismatch=(W, "the metadata's `resource` is not this endpoint", "Set `resource` to the URL that clients use, exactly: clients must refuse it otherwise (RFC 9728 §3.3)."),
        as_metadata_missing=(W, "the authorization server publishes no metadata", "Serve RFC 8414 or OpenID Connect discovery metadata at the issuer's well-known address."),
        as_metadata_invalid=(W, "the authorization server's metadata cannot be used", "Serve JSON with issuer, authorization_endpoint and token_endpoint (RFC 8414 §2)."),
        issuer_mismatch=(W, "the metadata's `issuer` is not the one that was asked for", "Make `issuer` equal to the URL in `authorization_servers`, also in its trailing slash (RFC 8414 §3.3)."),
        no_s256=(W, "the authorization server does not announce PKCE with S256", "Announce code_challenge_methods_supported with S256; MCP clients must refuse to go on without."),
        open_to_all=(W, "a credential is configured, and the server also answers without one", "Check whether the server is meant to be open; if not, its sign-in is switched off."),
    )
    | _table(
        "credential",
        expired=(X, "the credential of this monitor has expired", "Give this monitor a new credential; the server itself is not to blame."),
        refresh_failed=(X, "no token could be got from the authorization server", "Check the client id, its secret and scope, and that the token endpoint is reachable from here."),
    )
    | _table(
        "jsonrpc",
        not_json=(P, "the answer is not JSON", "Check what answers at this path and what its proxy does to bodies."),
        not_jsonrpc=(P, "the answer is JSON and no JSON-RPC 2.0 message", "Answer with one object that has `jsonrpc`, the request's `id`, and exactly one of `result` and `error`; or check the path: something else may answer here."),
        batch=(P, "the answer is a batch (an array), which MCP dropped in 2025-06-18", "Answer one request with one message."),
        id_mismatch=(P, "the answer carries another id than the request", "Answer with the id of the request; other clients wait for ever."),
        truncated=(P, "the answer breaks off in the middle", "Look for a proxy or a worker that cuts answers, and at Content-Length."),
        too_deep=(P, "the answer is nested deeper than can be read", "Look for a recursive structure in what the server answers."),
        parse_error_32700=(P, "the server cannot read a correct request (−32700)", "Check that no proxy changes request bodies, and look at the server's log."),
        invalid_request_32600=(P, "the server calls a correct request invalid (−32600)", "Check that this is an MCP server and look at its log."),
        method_not_found_32601=(P, "the server does not know the method (−32601)", "Check that this path is an MCP server and not another JSON-RPC service."),
        invalid_params_32602=(P, "the server refuses correct parameters (−32602)", "Look at the server's log; often the protocol version is refused this way."),
        internal_32603=(P, "the server failed inside (−32603)", "Look at the server's log for the exception."),
        header_mismatch_32020=(P, "the server says that headers and body differ (−32020)", "Check that no proxy drops or rewrites MCP-Protocol-Version, Mcp-Method and Mcp-Name."),
        missing_capability_32021=(P, "the server demands a client capability to be asked at all (−32021)", "Let the server answer discovery and lists for clients without capabilities."),
        error=(P, "the server answers with a JSON-RPC error of its own", "Look at the server's log; it could not serve a correct request."),
    )
    | _table(
        "discover",
        malformed=(P, "the result of server/discover lacks what it must have", "Answer with supportedVersions and capabilities, as the schema of 2026-07-28 says."),
        unsupported_version=(P, "the server and this probe share no protocol version", "Let the server support a published revision of the protocol."),
        hang=(T, "server/discover is never answered", "Answer unknown methods with −32601 at once; clients ask this first."),
    )
    | _table(
        "initialize",
        missing_protocol_version=(P, "the result has no `protocolVersion`", "Answer with the fields that the MCP schema demands."),
        missing_server_info=(P, "the result has no `serverInfo` with a name", "Answer with the fields that the MCP schema demands."),
        missing_capabilities=(P, "the result has no `capabilities` object", "Answer with the fields that the MCP schema demands."),
        unsupported_version=(P, "the protocol version was never published, or none is shared", "Let the server answer with a published revision of the protocol."),
        hang=(T, "the handshake is not answered in time", "Look at what the server waits for, and whether a proxy buffers the stream."),
        rejected_initialized=(P, "`notifications/initialized` is refused after a good handshake", "Accept this notification with 202; clients give up here."),
    )
    | _table(
        "tools_list",
        error=(P, "tools/list fails although tools are declared", "The handshake is good, so the process is up: look at what its tools are made from."),
        hang=(T, "tools/list is not answered in time", "Look at what the server waits for when it collects its tools."),
        malformed=(P, "the list has no readable tools", "Compare the answer with the tools/list result of the MCP schema."),
        pagination_loop=(P, "a cursor comes again, so the list never ends", "Let nextCursor move on, and leave it out on the last page."),
        empty_but_advertised=(P, "tools are declared and none is listed", "Look at the server's log for tools that failed to register at start."),
        truncated=(P, "the list goes on beyond what clients read", "Offer fewer tools; clients stop reading too."),
        unstable_order=(P, "the same tools come in another order each time", "Sort the list: prompt caches of clients miss otherwise."),
    )
    | _table(
        "shape",
        schema_invalid=(P, "a tool's inputSchema is not a valid JSON Schema of type object", "Give each tool an `inputSchema` of type object; many clients drop every tool otherwise."),
        output_schema_invalid=(P, "a tool's outputSchema is not a valid JSON Schema", "Mend the outputSchema; clients that check results refuse every result of it."),
        remote_ref=(P, "a schema points to another address with $ref", "Put the schema in place; clients must not fetch it."),
        duplicate_names=(P, "two tools have one name", "Give every tool its own name; clients can only call one of them."),
        name_invalid=(P, "a tool's name has characters or a length that clients refuse", "Use 1 to 128 letters, digits, _, - and . (MCP 2025-11-25, tool names)."),
        header_annotation_invalid=(P, "an x-mcp-header annotation of a tool breaks its rules", "Annotate plain arguments (string, integer, boolean) with a header name of their own; clients must leave the tool out otherwise."),
        capability_unanswered=(P, "a declared capability is not answered", "Declare only what is served."),
    )
    | _table(
        "tools_call",
        tool_missing=(C, "the tool that is to be called is not in the list", "Correct the name in this monitor, or restore the tool."),
        not_read_only=(C, "the tool does not say that it only reads", "Set readOnlyHint on the tool, or allow the call in this monitor's settings."),
        error=(C, "the call is answered with a JSON-RPC error", "Look at the server's log for this call."),
        malformed=(C, "the result of the call has no readable content", "Answer with a `content` array, as the tools/call result of the MCP schema."),
        is_error=(C, "the tool says that it failed (isError)", "Look at what the tool depends on; the message is in the evidence."),
        assertion_failed=(C, "the result is not what was expected", "Look at the result; if the expectation asks too much, change it."),
        stale_result=(C, "a timestamp in the result is too old", "Look at what feeds this data."),
        degraded_result=(C, "the result says that it is degraded (_meta)", "Look at the dependency that the tool names."),
        input_required=(C, "the tool asks for input of a person", "Choose a tool that needs none."),
        output_schema_violation=(C, "structuredContent does not match the tool's outputSchema", "Make result and schema agree; clients reject such results."),
        tool_timeout=(C, "the call is not answered in time", "Look at what the tool waits for."),
    )
    | _table(
        "resources",
        error=(P, "resources are declared, and listing or reading one fails", "Look at the server's log for this request."),
        stale=(P, "the resource that was read is older than allowed", "Look at what updates it."),
        hang=(T, "resources are not answered in time", "Look at what the server waits for."),
    )
    | _table(
        "prompts",
        error=(P, "prompts are declared, and listing or expanding one fails", "Look at the server's log for this request."),
        empty=(P, "a prompt expands to no message or an empty one", "Look at the data that the prompt is filled from."),
        hang=(T, "prompts are not answered in time", "Clients give up after five seconds; look at what the prompt waits for."),
    )
    | _table(
        "completion",
        error=(P, "completions are declared, and asking for one fails", "Look at the server's log for this request."),
        slow=(T, "a completion takes longer than a person waits", "Answer within 100 ms; look for a missing index."),
    )
    | _table(
        "session",
        session_lost=(P, "the session of a good handshake is not known a request later", "Let one client's requests reach one replica (sticky sessions), share sessions, or be stateless."),
        session_rejected=(P, "the session is refused at once after the handshake", "Check that no proxy drops the Mcp-Session-Id header, and that all replicas share sessions."),
        sse_no_endpoint=(P, "the old SSE transport never names the address for messages", "Send the `endpoint` event first; look for a proxy that buffers the stream."),
        sse_foreign_endpoint=(P, "the old SSE transport names an address of another origin", "Name an address of the same origin: clients must refuse any other."),
        sse_bad_framing=(P, "events are not framed as the standard says", "Write each message as a `data:` line followed by an empty line."),
        sse_closed=(P, "the event stream closes without the answer", "Look at the server's log for an error while it served the request, and at proxy time-outs."),
        sse_buffered=(P, "progress arrives only together with the result: something buffers the stream", "Send X-Accel-Buffering: no, and switch buffering off in the proxy."),
        no_keepalive=(P, "an open stream is silent for longer than proxies allow", "Send a comment every 15 to 30 seconds."),
    )
    | _table(
        "stdio",
        not_allowed=(Reason.BLOCKED, "this installation starts no programs", "Let the operator allow it with `mcp.allow_commands`."),
        spawn_failed=(Reason.CONNECTION_REFUSED, "the program could not be started", "Check the command, its path and its permissions on this machine."),
        exited=(Reason.CONNECTION_REFUSED, "the program ended before it answered", "Run the command by hand; the end of its stderr is in the evidence."),
        stdout_pollution=(P, "the program writes to stdout what is no message", "Send logs to stderr: everything on stdout must be a JSON-RPC message."),
        too_much_output=(P, "the program writes more than is read", "Page the lists, and look for what never stops writing."),
        deaf=(P, "the program goes on when its input has ended", "End when stdin does: clients that are closed leave it running otherwise."),
        no_reply=(T, "the program runs and does not answer", "Run the command by hand and look at what it waits for."),
    )
    | _table(
        "health_url",
        unreachable=(H, "the health URL does not answer", "Look at the health endpoint and what serves it."),
        status=(H, "the health URL answers with an unexpected status", "Look at the body; it usually names the part that is ill."),
        body_down=(H, "the body says that it is down", "Look at the part that the body names."),
        body_degraded=(H, "the body says that it is degraded", "Look at the part that the body names."),
        threshold=(H, "a value in the body is beyond its limit", "Look at the part that the value belongs to."),
        stale=(H, "a timestamp in the body is too old", "Look at what should have moved it on."),
    )
)  # fmt: skip
"""Every (layer, code) of the mcp kinds."""
