"""The HTTP app: stateless streamable HTTP behind the gate, with health and resource metadata in the open."""

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantscope_core.identity.verifier import Verifier
from tenantscope_core.serving.body import MAX_BODY_BYTES
from tenantscope_core.serving.gate import BearerGate, Door
from tenantscope_core.serving.protocol import Path
from tenantscope_core.serving.settings import CoreSettings
from tenantscope_core.serving.spec import ServerSpec

MCP_PATH = "/mcp"
METADATA_PATH = "/.well-known/oauth-protected-resource"
_LOOPBACK = ("127.0.0.1:*", "localhost:*", "[::1]:*")


def http_app(
    spec: ServerSpec[CoreSettings, object], settings: CoreSettings, server: Server[Path], verifier: Verifier
) -> ASGIApp:
    """The whole app of a server; its lifespan opens and closes what the server holds."""
    resource = settings.resource_url or f"http://{settings.host}:{settings.port}{MCP_PATH}"
    origin = resource.removesuffix("/").removesuffix(MCP_PATH)
    hosts = [*_LOOPBACK, *settings.allowed_hosts]
    scopes = [settings.scope_prefix + scope for scope in spec.scopes]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    protocol = StreamableHTTPSessionManager(
        server,
        stateless=True,  # any replica answers any request, and no session can be taken over by another tenant
        json_response=False,  # the SSE form carries progress, and a client that leaves cancels its call
        max_request_body_size=MAX_BODY_BYTES,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection="*" not in hosts, allowed_hosts=hosts, allowed_origins=origins
        ),
    )
    door = Door(
        verifier=verifier,
        tools={tool.name: tool for tool in spec.tools},
        scopes=scopes,
        scope_prefix=settings.scope_prefix,
        provider_scope=settings.provider_scope,
        metadata_url=f"{origin}{METADATA_PATH}{MCP_PATH}",
        open_discovery=settings.open_discovery,
    )
    metadata = {
        "resource": resource,
        "authorization_servers": [settings.issuer],
        # Not the provider's scope: hosts ask for all that is listed here, and a tenant's user must not get it.
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": spec.title,
    }

    async def show_metadata(_: Request) -> JSONResponse:
        return JSONResponse(metadata, headers={"access-control-allow-origin": "*"})

    async def show_health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "server": spec.name, "version": spec.version})

    outside = Starlette(
        routes=[
            Route(METADATA_PATH, show_metadata),
            Route(METADATA_PATH + MCP_PATH, show_metadata),
            Route("/health", show_health),
            Route("/ping", show_health),
        ],
        lifespan=lambda _: protocol.run(),
    )
    gate = BearerGate(_only_posted(protocol.handle_request), door)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/") == MCP_PATH:
            await gate({**scope, "path": MCP_PATH, "raw_path": MCP_PATH.encode()}, receive, send)
        else:
            await outside(scope, receive, send)

    return app


def _only_posted(app: ASGIApp) -> ASGIApp:
    """Refuse what is not POST: without sessions there is nothing to listen to or to end, and an idle stream costs."""

    async def posted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await app(scope, receive, send)
        else:
            await Response(status_code=405, headers={"allow": "POST"})(scope, receive, send)

    return posted
