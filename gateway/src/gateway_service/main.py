"""Composition root of the gateway: the proxy is the outer ASGI callable, FastAPI answers what no service
claims.
"""

import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, FastAPI
from shared.access import access_subscriber
from shared.adapters.redis import redis_refusal
from shared.app.asgi import ServiceApp
from shared.app.service import Lifespan, create_service_app
from shared.auth.guards import current_principal
from shared.auth.tokens import ServiceTokens, UserTokens
from shared.background import Periodic
from shared.clients.calls import ServiceCalls
from shared.db import Database, check_schema, function_names
from shared.http import Timeouts, UpstreamPool
from shared.listener import ChannelListener
from shared.operations import VERSION, check_database
from shared.settings import load_settings_or_exit

from gateway_service.admin import endpoints as admin_endpoints
from gateway_service.admin.service import Admin
from gateway_service.apikeys import endpoints as apikeys_endpoints
from gateway_service.apikeys.service import ApiKeys
from gateway_service.audit.collecting import LOOK_S, AuditCollector
from gateway_service.connections.descriptors import raise_limit
from gateway_service.connections.limits import LOOPBACK, ConnectionLimits
from gateway_service.identity.announcements import AGAIN_S, Announcements
from gateway_service.identity.authenticator import StoredAuthenticator
from gateway_service.identity.changes import CHANNEL, IdentityChanges
from gateway_service.identity.endings import Endings
from gateway_service.identity.hop import HopTokens
from gateway_service.identity.memory import IdentityMemory
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.limits.credentials import CredentialLimits
from gateway_service.limits.dependencies import gateway_principal
from gateway_service.limits.ports import Limiter
from gateway_service.limits.replicas import Replicas
from gateway_service.limits.shared_bucket import SharedBucketLimiter
from gateway_service.people.database import open_database
from gateway_service.proxy.app import ProxyApp
from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.instruments import Instruments
from gateway_service.proxy.routes import Route, service_routes
from gateway_service.retention.purges import retention
from gateway_service.sessions import endpoints as sessions_endpoints
from gateway_service.sessions.service import Sessions
from gateway_service.sessions.tokens import user_tokens
from gateway_service.settings import SCHEMA_VERSION, GatewaySettings
from gateway_service.signin import endpoints as signin_endpoints
from gateway_service.signin.passwords import Passwords
from gateway_service.signin.service import Accounts
from gateway_service.status import endpoints as status_endpoints
from gateway_service.status.metrics_port import MetricsPort
from gateway_service.status.service import InstalledServices
from gateway_service.web import endpoints as web_endpoints

# Routes that need no credential; the walk test holds every other one to a permission.
PUBLIC_PATHS = frozenset(
    {
        "/api/v1/auth/config",
        "/api/v1/auth/signup",
        "/api/v1/auth/signin",
        "/api/v1/auth/refresh",
        "/api/v1/auth/signout",
        "/api/v1/auth/jwks",
        "/api/v1/status",
        "/api/v1/openapi.json",
        "/health",
        "/docs",
        "/{path:path}",
    }
)

RECORDERS = ("billing-service",)
"""Services that keep a record of administrative acts."""
_METRICS_PORT_AGAIN_S = 0.5
_CALL_MAX_S = 2.0
_REDIS_START_S = 5.0
_ANSWER_BYTES_MAX = 4 * 1024 * 1024


def service_urls(settings: GatewaySettings) -> dict[str, str]:
    """Where each service behind the gateway answers."""
    return {
        "inference-service": settings.inference_service_url.rstrip("/"),
        "agent-service": settings.agent_service_url.rstrip("/"),
        "retrieval-service": settings.retrieval_service_url.rstrip("/"),
        "chat-service": settings.chat_service_url.rstrip("/"),
        "billing-service": settings.billing_service_url.rstrip("/"),
    }


def service_calls(
    settings: GatewaySettings, tokens: ServiceTokens, pool: UpstreamPool
) -> dict[str, ServiceCalls]:
    """The gateway's own calls, by service. `pool` is not the proxy's, which streams can fill."""
    timeouts = Timeouts(
        connect_s=_CALL_MAX_S, first_byte_s=_CALL_MAX_S, idle_s=_CALL_MAX_S, write_s=_CALL_MAX_S
    )
    return {
        name: ServiceCalls(
            pool, tokens, service=name, base_url=url, timeouts=timeouts, answer_bytes_max=_ANSWER_BYTES_MAX
        )
        for name, url in service_urls(settings).items()
    }


def settings_or_exit() -> GatewaySettings:
    """From the environment. What cannot work ends the process with one line and status 2; a Redis that does
    not answer is only warned of.
    """
    settings = load_settings_or_exit(GatewaySettings)
    if settings.redis_url is not None:
        refusal = redis_refusal(settings.redis_url.get_secret_value(), within_s=_REDIS_START_S)
        if refusal is not None and refusal.is_final:
            sys.stderr.write(f"{settings.service} cannot start: REDIS_URL: {refusal.text}\n")
            raise SystemExit(2)
        if refusal is not None:
            sys.stderr.write(
                f"{settings.service} starts and admits its share of each limit: REDIS_URL: {refusal.text}\n"
            )
    return settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What one gateway process owns beside its FastAPI application."""

    settings: GatewaySettings
    database: Database
    passwords: Passwords
    pool: UpstreamPool
    replicas: Replicas | None
    limits: CredentialLimits
    limiter: Limiter
    tokens: UserTokens

    @classmethod
    def of(cls, settings: GatewaySettings) -> "Parts":
        replicas, local = Replicas.of(settings), BucketLimiter()
        return cls(
            settings=settings,
            database=open_database(settings),
            passwords=Passwords.of(settings),
            pool=UpstreamPool(),
            replicas=replicas,
            limits=CredentialLimits(replicas),
            limiter=local if replicas is None else SharedBucketLimiter(replicas, local),
            tokens=user_tokens(settings),
        )

    def installed_services(self, calls: Mapping[str, ServiceCalls], api: FastAPI) -> InstalledServices:
        """What the state of the installation is read from."""
        return InstalledServices(
            services=calls,
            database=self.database,
            redis=None if self.replicas is None else self.replicas.redis,
            own_document=api.openapi,
            version=VERSION,
        )

    def routers(self) -> Sequence[APIRouter]:
        """All routes of the gateway's own; the web client's catch-all comes last."""
        return (
            signin_endpoints.build_router(self.limits, self.settings),
            sessions_endpoints.build_router(self.limits, self.settings),
            apikeys_endpoints.build_router(self.limits, self.settings, self.tokens),
            admin_endpoints.build_router(),
            status_endpoints.build_router(),
            web_endpoints.build_router(
                self.settings.web_build_dir, base=self.settings.public_url.rstrip("/")
            ),
        )


def create_app(settings: GatewaySettings | None = None) -> ProxyApp:
    """The gateway as an ASGI callable."""
    settings = settings or settings_or_exit()
    parts = Parts.of(settings)
    service = _own_app(parts)
    app = ProxyApp(
        routes=_routes(settings),
        fallback=service,
        authenticator=service.state.authenticator,
        limiter=parts.limiter,
        pool=parts.pool,
        instruments=Instruments(service.metrics, service.telemetry, service.state.access_log),
        config=_proxy_config(settings),
    )
    service.state.breakers = app.breakers
    service.state.endings = endings = Endings(app.end_calls)
    service.state.changes.ended = endings.of_subject
    return app


def _own_app(parts: Parts) -> ServiceApp:
    settings = parts.settings
    service = create_service_app(
        settings,
        title="Atrium gateway",
        lifespan=_among_replicas(parts.replicas, _lifespan(parts)),
        routers=parts.routers(),
        readiness={"database": check_database},
        body_bytes_max=settings.own_body_max_bytes,
    )
    service.api.description = (
        "The routes of the gateway itself. Those of all services: /api/v1/openapi.json for tools, /docs to "
        "read."
    )
    state = service.state
    state.database = parts.database
    state.credential_limits = parts.limits
    state.limiter = parts.limiter
    memory = IdentityMemory()
    changes = state.changes = IdentityChanges(memory)
    announcements = state.announcements = Announcements(parts.database)
    changes.published = announcements.wake
    state.accounts = Accounts(database=parts.database, passwords=parts.passwords, settings=settings)
    state.sessions = Sessions(
        database=parts.database, tokens=parts.tokens, changes=changes, settings=settings
    )
    state.api_keys = ApiKeys(database=parts.database, changes=changes)
    state.retention = retention(parts.database, settings, state.metrics)
    state.admin = Admin(database=parts.database, changes=changes)
    state.authenticator = StoredAuthenticator(
        database=parts.database,
        verifier=state.verifier,
        hop_tokens=HopTokens(parts.tokens),
        tasks=state.tasks,
        settings=settings,
        memory=memory,
    )
    # The gateway knows revocations at once and takes API keys; the other services verify tokens offline.
    service.api.dependency_overrides[current_principal] = gateway_principal
    return service


def _among_replicas(replicas: Replicas | None, inner: Lifespan) -> Lifespan:
    if replicas is None:
        return inner

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
        async with replicas.present(), inner(api):
            yield

    return lifespan


def _lifespan(parts: Parts) -> Lifespan:
    settings, database = parts.settings, parts.database

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
        await check_schema(
            database,
            service=settings.service,
            code_version=SCHEMA_VERSION,
            functions=function_names("gateway_service"),
        )
        raise_limit()
        authenticator: StoredAuthenticator = api.state.authenticator
        # After a gap all is forgotten: what was said meanwhile is lost.
        memory, url = authenticator.memory, settings.database_url.get_secret_value()
        listener = ChannelListener(
            url, name=settings.service, heard={CHANNEL: memory.drop}, on_connected=memory.drop_all
        )
        announcements: Announcements = api.state.announcements
        losses = access_subscriber(url, service=settings.service, end_work=api.state.endings.of_access)
        pool = UpstreamPool()
        calls = service_calls(settings, api.state.service_tokens, pool)
        api.state.audit_collector = collector = AuditCollector(
            database, {name: calls[name] for name in RECORDERS}, keep=timedelta(days=settings.audit_keep_days)
        )
        jobs = (
            Periodic("probes", 0, api.state.breakers.probe),
            Periodic("outbox", 0, announcements.relay),
            Periodic("lost access", AGAIN_S, announcements.repeat),
            Periodic("acts of services", LOOK_S, collector.run),
            api.state.retention.job(),
        )
        api.state.listener = listener
        api.state.installed_services = parts.installed_services(calls, api)
        metrics_port = MetricsPort(settings.metrics_port, host=settings.host, metrics=api.state.metrics)
        await metrics_port.open()
        opening = Periodic("metrics port", _METRICS_PORT_AGAIN_S, metrics_port.open)
        opening.start()
        listener.start()
        losses.start()
        for job in jobs:
            job.start()
        try:
            yield
        finally:
            await opening.close()
            metrics_port.close()
            await losses.close()
            await listener.close()
            for job in jobs:
                await job.close()
            await pool.aclose()
            await parts.pool.aclose()
            parts.passwords.close()
            await database.dispose()

    return lifespan


def _routes(settings: GatewaySettings) -> tuple[Route, ...]:
    urls = service_urls(settings)
    return service_routes(
        chat_url=urls["chat-service"],
        inference_url=urls["inference-service"],
        agent_url=urls["agent-service"],
        retrieval_url=urls["retrieval-service"],
        billing_url=urls["billing-service"],
    )


def _proxy_config(settings: GatewaySettings) -> ProxyConfig:
    return ProxyConfig(
        connections=ConnectionLimits(
            head_s=settings.request_head_timeout_s,
            body_s=settings.anonymous_body_timeout_s,
            per_address_max=settings.connections_per_address_max,
            unbounded=(*LOOPBACK, *settings.trusted_proxies),
        ),
        body_size_max=settings.request_body_max_bytes,
        cors_origins=frozenset(settings.cors_allow_origins),
        trusted_proxies=settings.trusted_proxies,
        hosts=settings.hosts,
        https=settings.https,
    )
