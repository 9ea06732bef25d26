"""The issuer's public keys: fetched by JWKS, cached, refreshed on rotation, kept while the issuer is unreachable."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import httpx2

from tenantscope_core.results.errors import Unavailable

if TYPE_CHECKING:  # takes long to import, and many a server on stdio is never called
    import jwt

log = logging.getLogger(__name__)

REFRESH_EVERY = timedelta(minutes=10)
REFRESH_AT_MOST_EVERY = timedelta(seconds=30)  # so that tokens with invented key ids cannot make us hammer the issuer
RETRY_EVERY = timedelta(seconds=5)  # while no key is known at all, so that nobody can be served
KEEP_REMOVED_FOR = timedelta(minutes=5)  # a key that one replica of the issuer no longer lists may still be signing
KEEP_UNREACHABLE_FOR = timedelta(hours=24)
FETCH_TIMEOUT_SECONDS = 3.0
RENEW_TIMEOUT_SECONDS = 1.0  # for a caller whose key is cached, and only has grown old
_MAX_DOCUMENT_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Listed:
    key: "jwt.PyJWK"
    last_listed: datetime


class KeySet:
    """The keys of one issuer.

    `find` answers from the cache; it asks the issuer when a key id is unknown (at most every 30 s, one request at a
    time, for which others with an unknown key wait) or the cache is ten minutes old. An issuer that cannot be reached
    is survived on the cached keys for a day; a slow one costs one caller a second.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_url: str | None,
        open_http: Callable[[], httpx2.AsyncClient],
        clock: Callable[[], datetime],
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._open_http = open_http
        self._http: httpx2.AsyncClient | None = None  # made at the first fetch: its transport takes long to import
        self._clock = clock
        self._keys: dict[str, _Listed] = {}
        self._fetched: datetime | None = None
        self._tried: datetime | None = None
        self._reachable = True
        self._lock = anyio.Lock()
        self.fetches = 0

    async def find(self, key_id: str | None) -> "jwt.PyJWK | None":
        """The key with that id, or the only key when the token names none; None when the issuer lists no such key.

        Raises:
            Unavailable: The key is not cached and the issuer cannot be asked.
        """
        found = self._cached(key_id)
        if found is not None and self._is_due():
            await self._refresh(RENEW_TIMEOUT_SECONDS)
            return self._cached(key_id)
        if found is None:
            await self._refresh(FETCH_TIMEOUT_SECONDS)  # or wait for whoever is asking already
            found = self._cached(key_id)
            if found is None and not self._reachable:
                raise Unavailable(
                    "The identity provider's keys cannot be fetched just now, so the token cannot be checked.",
                    retry_after_seconds=max(1.0, self._seconds_until_next_try()),
                )
        return found

    async def close(self) -> None:
        """Close the connections to the issuer."""
        if self._http is not None:
            await self._http.aclose()

    def _cached(self, key_id: str | None) -> "jwt.PyJWK | None":
        now = self._clock()
        if self._fetched is None or now - self._fetched > KEEP_UNREACHABLE_FOR:
            return None
        if key_id is None:
            return next(iter(self._keys.values())).key if len(self._keys) == 1 else None
        listed = self._keys.get(key_id)
        return None if listed is None else listed.key

    def _is_due(self) -> bool:
        stale = self._fetched is None or self._clock() - self._fetched >= REFRESH_EVERY
        return stale and self._seconds_until_next_try() <= 0 and not self._lock.locked()

    def _seconds_until_next_try(self) -> float:
        if self._tried is None:
            return 0.0
        pause = RETRY_EVERY if self._fetched is None else REFRESH_AT_MOST_EVERY
        return (pause - (self._clock() - self._tried)).total_seconds()

    async def _refresh(self, timeout_seconds: float) -> None:
        async with self._lock:
            if self._seconds_until_next_try() > 0:
                return  # whoever held the lock has just asked
            self._tried = self._clock()
            try:
                # Shielded: the caller who asks may leave, and what it asks is for everybody.
                with anyio.fail_after(timeout_seconds, shield=True):
                    listed = _usable(await self._fetch())
            except (httpx2.HTTPError, TimeoutError, ValueError) as error:
                self._reachable = False
                self._tried = self._clock()  # from where the wait ended, or those in line would wait in turn
                log.warning("issuer=%s keys not fetched: %s", self._issuer, type(error).__name__)
                return
            self._reachable = True
            self._remember(listed)
            self._fetched = self._tried

    def _remember(self, listed: "Mapping[str, jwt.PyJWK]") -> None:
        now = self._clock()
        self._keys.update({name: _Listed(key, now) for name, key in listed.items()})
        self._keys = {n: one for n, one in self._keys.items() if now - one.last_listed <= KEEP_REMOVED_FOR}

    async def _fetch(self) -> dict[str, Any]:
        self.fetches += 1
        if self._jwks_url is None:
            configuration = await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            url = configuration.get("jwks_uri")
            if configuration.get("issuer") != self._issuer or not isinstance(url, str):
                raise ValueError("the discovery document is another issuer's, or names no keys")
            self._jwks_url = url
        return await self._get(self._jwks_url)

    async def _get(self, url: str) -> dict[str, Any]:
        if self._http is None:
            self._http = await anyio.to_thread.run_sync(self._open_http)
        content = bytearray()
        async with self._http.stream("GET", url, headers={"accept": "application/json"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_DOCUMENT_BYTES:
                    raise ValueError("the document is too large")
        document: object = json.loads(content)
        if not isinstance(document, dict):
            raise ValueError("the document is no JSON object")
        return cast(dict[str, Any], document)


def _usable(document: Mapping[str, Any]) -> "dict[str, jwt.PyJWK]":
    """The signing keys of a key set by id.

    Raises:
        ValueError: There is none: then it is no key set, whatever its status, and what is known stays known.
    """
    import jwt

    entries = document.get("keys")
    found: dict[str, jwt.PyJWK] = {}
    for entry in cast(list[object], entries) if isinstance(entries, list) else []:
        try:
            key = jwt.PyJWK(cast(dict[str, Any], entry))
            fields = cast(dict[str, Any], entry)
            if fields.get("use", "sig") == "sig" and key.key_type in ("RSA", "EC", "OKP"):
                found[str(fields.get("kid", ""))] = key
        except Exception as error:  # one entry of any other kind or shape leaves the rest none the worse
            log.debug("issuer's key ignored: %s", type(error).__name__)
    if not found:
        raise ValueError("the document holds no key")
    return found
