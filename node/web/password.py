"""Passwords and tokens: where they come from, how they are kept, how they are compared."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from node.config import WebConfig
from node.domain.errors import ConfigError, Reason

PASSWORD_VARIABLE, TOKEN_VARIABLE = "CSPINE_WEB_PASSWORD", "CSPINE_WEB_TOKEN"
_SHORTEST_PASSWORD, _SHORTEST_TOKEN = 12, 32
_SCHEME = "scrypt"
# 32 MB and about a tenth of a second for one attempt. Source: OWASP Password Storage Cheat Sheet (N=2^15, r=8, p=3).
_N, _R, _P = 2**15, 8, 3
_SALT_BYTES, _KEY_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A salted password with the costs that it was hashed with."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def fits(self, password: str) -> bool:
        """Return whether a password is the one; takes as long for a wrong one."""
        return hmac.compare_digest(self.key, _scrypt(password, self.salt, (self.n, self.r, self.p)))

    def __str__(self) -> str:
        salt, key = (base64.b64encode(one).decode("ascii") for one in (self.salt, self.key))
        return f"{_SCHEME}:{self.n}:{self.r}:{self.p}:{salt}:{key}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What admits a visitor; without a password everyone who reaches the port is admitted."""

    password: PasswordHash | None = None
    token_sha256: bytes | None = None

    def fits_token(self, token: str) -> bool:
        """Return whether a bearer token is the one."""
        return self.token_sha256 is not None and hmac.compare_digest(self.token_sha256, _sha256(token))


def hash_password(password: str) -> PasswordHash:
    """Return a password as it may lie in ``web.password_file``.

    Raises
    ------
    ConfigError
        ``config_invalid`` if it is too short.
    """
    if len(password) < _SHORTEST_PASSWORD:
        raise ConfigError(Reason.CONFIG_INVALID, f"the web password needs at least {_SHORTEST_PASSWORD} characters")
    salt = secrets.token_bytes(_SALT_BYTES)
    return PasswordHash(_N, _R, _P, salt, _scrypt(password, salt, (_N, _R, _P)))


def load_credentials(config: WebConfig, environment: Mapping[str, str]) -> Credentials:
    """Return the password and the token of the environment or, where it has none, of the files.

    Raises
    ------
    ConfigError
        ``config_invalid`` if one cannot be read or is too short, or if there is no password and the address is not loopback.
    """
    password = _secret(environment.get(PASSWORD_VARIABLE), config.password_file, "password_file")
    token = _secret(environment.get(TOKEN_VARIABLE), config.token_file, "token_file")
    if password is None and not is_loopback(config.host):
        raise ConfigError(
            Reason.CONFIG_INVALID,
            f"web.host {config.host} can be reached from other machines: set web.password_file (or {PASSWORD_VARIABLE}), "
            "or set web.host to 127.0.0.1",
        )
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise ConfigError(Reason.CONFIG_INVALID, f"web.token_file: a token needs at least {_SHORTEST_TOKEN} characters")
    return Credentials(None if password is None else _parsed(password), None if token is None else _sha256(token))


def is_loopback(host: str) -> bool:
    """Return whether an address or name is this machine's own, as its text says; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _secret(given: str | None, path: Path | None, field: str) -> str | None:
    if given is None and path is None:
        return None
    try:
        text = (given if given is not None or path is None else path.read_text(encoding="utf-8")) or ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Reason.CONFIG_INVALID, f"web.{field}: cannot read {path}: {type(error).__name__}") from error
    if not text.strip():
        raise ConfigError(Reason.CONFIG_INVALID, f"web.{field}: empty; write the secret into it or leave the field out")
    return text.strip()


def _parsed(text: str) -> PasswordHash:
    if not text.startswith(f"{_SCHEME}:"):
        return hash_password(text)
    try:
        _, n, r, p, salt, key = text.split(":")
        found = PasswordHash(int(n), int(r), int(p), base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True))
        _scrypt("", found.salt, (found.n, found.r, found.p))
    except (ValueError, binascii.Error) as error:
        message = "web.password_file: not a whole hash; make it again with `cspine-node web --hash-password`"
        raise ConfigError(Reason.CONFIG_INVALID, message) from error
    return found


def _scrypt(password: str, salt: bytes, costs: tuple[int, int, int]) -> bytes:
    n, r, p = costs
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=_KEY_BYTES)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
