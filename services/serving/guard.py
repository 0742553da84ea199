"""Access before every call: who asks, whether they may, and whether not too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from access import ANONYMOUS, Allowance, NotAllowedError, NotKnownError, Principal, Role
from serving import openapi
from serving.answers import NOT_KEPT, json_answer
from serving.keychain import Keychain
from serving.openapi import call, refusals
from serving.probes import PATHS
from serving.problems import HttpProblem, respond, retry_after
from serving.requests import route_of
from sightline.messages.value import Answer
from telemetry import logs

TOKEN_PATH = "/v1/auth/token"  # noqa: S105 - a path
KEYS_PATH = "/v1/auth/keys"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Rules = Mapping[tuple[str, str], Role | None]
"""Method and route → the role that it takes; None for everybody. What is not here takes `read` to
look at and `operate` to change."""

log = logs.get("serving.guard")


class IssuedToken(Answer, frozen=True, kw_only=True):
    """A token for a key, as in RFC 6749, 5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of the RFC
    expires_in: int
    """Seconds."""


class PublicKey(Answer, frozen=True, kw_only=True):
    """A key that our tokens are signed with, as in RFC 7517."""

    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "Ed25519"]
    x: str
    y: str | None = None
    kid: str
    alg: Literal["ES256", "EdDSA"]
    use: Literal["sig"] = "sig"


class PublicKeys(Answer, frozen=True, kw_only=True):
    """A JWKS. Empty where no keys of our own sign tokens."""

    keys: tuple[PublicKey, ...]


OPERATIONS: openapi.Operations = {
    ("GET", KEYS_PATH): openapi.Operation(
        name="listTokenKeys",
        tag="access",
        summary="The keys that tokens are signed with",
        text="Public parts alone (JWKS, RFC 7517): the key that signs now, one that will soon, and"
        " earlier ones whose last tokens have not ended. Whoever believes our tokens fetches them.",
        replies=(
            openapi.json_reply(
                PublicKeys,
                "The keys.",
                examples={
                    "One key": PublicKeys(
                        keys=(
                            PublicKey(
                                kty="OKP",
                                crv="Ed25519",
                                x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                                kid="kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                                alg="EdDSA",
                            ),
                        )
                    )
                },
                headers=(refusals.NO_STORE,),
            ),
        ),
    ),
    ("POST", TOKEN_PATH): openapi.Operation(
        name="issueToken",
        tag="access",
        summary="A short-lived token for an API key",
        text="Show the key; the body is not read. The token has the roles of the key, and can be"
        " shown wherever a key can, to every service with the same token secret.",
        shows_key=True,
        replies=(
            openapi.json_reply(
                IssuedToken,
                "The token.",
                examples={
                    "A token": IssuedToken(
                        access_token="eyJhbGciOiJIUzI1NiJ9.e30.c2ln",  # noqa: S106
                        expires_in=900,
                    )
                },
                headers=(refusals.NO_STORE,),
            ),
        ),
        refusals=(
            refusals.UNAUTHORIZED,
            refusals.TOO_MANY_FAILURES,
            openapi.Refusal(
                status=404,
                type="no-tokens",
                meaning="This service issues none: no key signs now, and it has no token secret.",
                detail="this service issues no tokens: it has neither a key that signs now nor a"
                " token secret",
            ),
        ),
    ),
}


def role_of(rules: Rules, method: str, route: str) -> Role | None:
    """What a call takes under these rules."""
    if route in PATHS or route in (TOKEN_PATH, KEYS_PATH, call.PATH):
        return None
    # HEAD is answered by whatever answers GET.
    method = "GET" if method == "HEAD" else method
    if (method, route) in rules:
        return rules[method, route]
    return "read" if method in _SAFE else "operate"


class Guard:
    """What the middleware and the token call share."""

    def __init__(
        self,
        keychain: Keychain,
        rules: Rules,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keychain = keychain
        self.clock = clock
        self._rules = rules
        self._timer = timer
        settings = keychain.settings
        rate = settings.requests_per_second
        self._requests = None if rate is None else Allowance(rate=rate, burst=settings.burst)
        failures = settings.failures_per_minute
        self._failures = Allowance(rate=failures / 60.0, burst=max(1.0, failures))

    def role(self, method: str, route: str) -> Role | None:
        """What a call takes."""
        return role_of(self._rules, method, route)

    def admit(self, scope: Scope) -> Principal | None:
        """Whoever asks, if they may; raises HttpProblem. None where nobody needs to be known."""
        role = self.role(scope["method"], route_of(scope))
        if role is None:
            return None
        address = _address(scope)
        principal = self.known(shown(Headers(scope=scope)), address)
        try:
            principal.must(role)
        except NotAllowedError as error:
            log.warning("not allowed", principal=principal.id, role=role)
            raise HttpProblem(status=403, type="forbidden", detail=str(error)) from error
        self._limit(address if principal.id == ANONYMOUS else principal.id)
        return principal

    def _limit(self, client: str) -> None:
        """Raise HttpProblem when a client asks too often."""
        if self._requests is None:
            return
        wait = self._requests.take(client, now=self._timer())
        if wait > 0:
            raise HttpProblem(
                status=429,
                type="too-many-requests",
                detail=f"{client} may ask {self._requests.rate:g} times a second on average",
                limit=f"{self._requests.rate:g} a second",
                headers=retry_after(wait),
            )

    def known(self, key: str | None, address: str) -> Principal:
        """The holder of what was shown; wrong ones are counted by the address they came from.

        A right key is let in however many wrong ones came before it: behind one address there are
        many clients, and one with an old key must not lock out the others.
        """
        try:
            return self.keychain.gate.principal(key, now=self.clock())
        except NotKnownError as error:
            if key is not None:
                wait = self._failures.take(address, now=self._timer())
                if wait > 0:
                    raise HttpProblem(
                        status=429,
                        type="too-many-failures",
                        detail="too many wrong keys or tokens came from this address",
                        headers=retry_after(wait),
                    ) from error
                log.warning("not known", address=address, reason=str(error))
            raise HttpProblem(
                status=401,
                type="unauthorized",
                detail=str(error),
                headers={"WWW-Authenticate": 'Bearer realm="sightline"'},
            ) from error

    def routes(self) -> list[Route]:
        """A token for an API key, and the keys that tokens are signed with."""
        return [
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            Route(KEYS_PATH, self._keys, methods=["GET"]),
        ]

    async def _keys(self, _request: Request) -> Response:
        signing = self.keychain.gate.tokens.signing
        listed = signing.public(self.clock()) if signing else []
        return json_answer(
            PublicKeys(keys=tuple(msgspec.convert(each, PublicKey) for each in listed)),
            headers=NOT_KEPT,
        )

    async def _token(self, request: Request) -> Response:
        key = shown(request.headers)
        if key is None:
            raise HttpProblem(
                status=401,
                type="unauthorized",
                detail="show an API key: Authorization: Bearer sl_...",
                headers={"WWW-Authenticate": 'Bearer realm="sightline"'},
            )
        self.known(key, _address(request.scope))
        gate, now = self.keychain.gate, self.clock()
        try:
            token, ends = gate.tokens.issue(gate.holder(key, now=now), now=now)
        except NotKnownError as error:
            raise HttpProblem(status=404, type="no-tokens", detail=str(error)) from error
        return json_answer(
            IssuedToken(access_token=token, expires_in=int((ends - now).total_seconds())),
            headers=NOT_KEPT,
        )


class GuardMiddleware:
    """Pure ASGI; a refused request's body is not read."""

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through or answer with a problem."""
        if scope["type"] == "http":
            # The router has not run yet; the routes that it has are known to the application.
            scope.setdefault("router", scope["app"].router)
            try:
                principal = self._guard.admit(scope)
            except HttpProblem as problem:
                await respond(problem)(scope, receive, send)
                return
            if principal is not None:
                logs.bind(principal=principal.id)
                scope.setdefault("state", {})["principal"] = principal.id
        await self._app(scope, receive, send)


def shown(headers: Headers | Mapping[str, str]) -> str | None:
    """The key or token of `Authorization: Bearer ...` or `X-Api-Key`."""
    key = headers.get("x-api-key")
    if key:
        return key.strip()
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def client_of(request: Request) -> str:
    """Between whom turns are shared: the holder of a key, or else an address."""
    principal = getattr(request.state, "principal", ANONYMOUS)
    return _address(request.scope) if principal == ANONYMOUS else str(principal)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
