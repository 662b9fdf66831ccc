"""The gateway's proxy alone, for measuring: real token verification, real buckets, no database behind it."""

import argparse
from pathlib import Path

import uvicorn
from gateway_service.identity.memory import IdentityMemory
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.proxy.app import ProxyApp
from gateway_service.proxy.instruments import Instruments
from gateway_service.proxy.routes import service_routes
from shared.app.service import settle_memory
from shared.auth.tokens import TokenVerifier
from shared.http import UpstreamPool
from shared.logs import AccessLog, setup_logging
from shared.metrics import Metrics
from shared.operations import VERSION
from shared.telemetry import Telemetry

_REMEMBERED_S = 30.0


class VerifyingAuthenticator:
    """Verifies user tokens offline and remembers them as the gateway does."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._memory = IdentityMemory()

    def remembered(self, credential: bytes) -> Identity | None:
        return self._memory.get(credential)

    async def authenticate(self, credential: bytes) -> Identity:
        principal = self._verifier.verify(credential.decode("ascii"))
        quotas = (
            Quota(f"user:{principal.user_id}", 100_000_000),
            Quota(f"organisation:{principal.organisation_id}", 100_000_000),
        )
        identity = Identity(principal=principal, hop_authorization=b"Bearer " + credential, quotas=quotas)
        self._memory.put(
            credential, identity, good_for_s=_REMEMBERED_S, subjects=(), epoch=self._memory.epoch
        )
        return identity


async def own_application(scope: object, receive: object, send: object) -> None:
    """Nothing but the proxied routes is asked for here."""


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description=f"the gateway hop of Atrium {VERSION}, for benchmarks")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--jwks", type=Path, required=True)
    options = parser.parse_args()
    target = options.upstream
    app = ProxyApp(
        routes=service_routes(
            chat_url=target, inference_url=target, agent_url=target, retrieval_url=target, billing_url=target
        ),
        fallback=own_application,
        authenticator=VerifyingAuthenticator(
            TokenVerifier(jwks=options.jwks.read_text(), audience="gateway")
        ),
        limiter=BucketLimiter(),
        pool=UpstreamPool(),
        instruments=Instruments(
            Metrics(service="gateway"), Telemetry(service="gateway", endpoint=None), AccessLog("gateway")
        ),
    )
    setup_logging(service="gateway", level="INFO")
    settle_memory()
    uvicorn.run(
        app, host="127.0.0.1", port=options.port, loop="uvloop", http="httptools", ws="none", lifespan="off",
        log_level="warning",
        access_log=False, proxy_headers=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
