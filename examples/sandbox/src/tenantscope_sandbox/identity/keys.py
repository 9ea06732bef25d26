"""Signing keys: one RS256 and one ES256, rotated on demand; a replaced key stays published for a grace time."""

import functools
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tenantscope_sandbox.state import State

FILE = "issuer/keys.json"
ALGORITHMS = ("RS256", "ES256")


@dataclass(frozen=True)
class SigningKey:
    """A private key with its public name; `current` is false once it has been replaced."""

    kid: str
    algorithm: str
    pem: str
    current: bool = True

    @classmethod
    def generate(cls, algorithm: str) -> "SigningKey":
        """Make a new key, also of use to tests that need a key which nobody published."""
        private = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            if algorithm == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(f"{algorithm.lower()}-{secrets.token_hex(4)}", algorithm, pem.decode())

    def private(self) -> Any:
        """Return the private key; reading it takes 70 ms, so it is kept."""
        return _private(self.pem)

    def public_pem(self) -> bytes:
        """Return the public half, as a confused verifier would take it for an HMAC secret."""
        return (
            self.private()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    def jwk(self) -> dict[str, Any]:
        """Return the public half as a JSON Web Key."""
        public: Any = serialization.load_pem_public_key(self.public_pem())
        algorithm: Any = jwt.get_algorithm_by_name(self.algorithm)
        document: dict[str, Any] = algorithm.to_jwk(public, as_dict=True)
        document.pop("key_ops", None)
        return {**document, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


@functools.lru_cache(maxsize=64)
def _private(pem: str) -> Any:
    return serialization.load_pem_private_key(pem.encode(), None)


class Keys:
    """The keys of one sandbox, in a file that only its owner reads."""

    def __init__(self, state: State) -> None:
        self._state = state

    def ensure(self) -> None:
        """Make the first keys unless there are some."""
        if not self.all():
            self._save([SigningKey.generate(algorithm) for algorithm in ALGORITHMS])

    def all(self) -> list[SigningKey]:
        """Return every published key, the current ones first."""
        return [SigningKey(**entry) for entry in self._state.read(FILE).get("keys", [])]

    def current(self, algorithm: str) -> SigningKey:
        """Return the key that signs now."""
        self.ensure()
        return next(key for key in self.all() if key.current and key.algorithm == algorithm)

    def jwks(self) -> dict[str, Any]:
        """Return the public key set."""
        return {"keys": [key.jwk() for key in self.all()]}

    def rotate(self) -> None:
        """Sign with new keys from now on; the earlier ones stay published."""
        replaced = [SigningKey(key.kid, key.algorithm, key.pem, current=False) for key in self.all()]
        self._save([*(SigningKey.generate(algorithm) for algorithm in ALGORITHMS), *replaced])

    def drop_replaced(self) -> None:
        """Publish the current keys alone: the grace time is over."""
        self._save([key for key in self.all() if key.current])

    def _save(self, keys: list[SigningKey]) -> None:
        self._state.write(FILE, {"keys": [vars(key) for key in keys]})
