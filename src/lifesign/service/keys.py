"""Keys for programs and browsers: made at random, recognised by a checksum, stored as a hash.

An API token is `lsn_<kind>_<30 base62><6 base62 CRC32>`. The checksum is CRC-32 (ISO 3309) over everything before
it, so that a mistyped or invented token is refused without asking the database, and secret scanners can tell a
real one. https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Literal, get_args

TokenKind = Literal["user", "service", "agent", "mcp"]
TOKEN_KINDS: tuple[TokenKind, ...] = get_args(TokenKind)

PREFIX_LENGTH = 8
"""Characters of the random part that are kept in clear, so that people recognise a token."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARS = 30
_CHECK_CHARS = 6
_TOKEN = re.compile(rf"lsn_({'|'.join(TOKEN_KINDS)})_[0-9A-Za-z]{{36}}")


def new_token(kind: TokenKind) -> str:
    """A token with 178 bits of randomness."""
    body = f"lsn_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether the text has a token's form and its checksum is right."""
    if _TOKEN.fullmatch(text) is None:
        return False
    return secrets.compare_digest(_checksum(text[:-_CHECK_CHARS]), text[-_CHECK_CHARS:])


def prefix_of(token: str) -> str:
    """The part of a token that may be shown: `lsn_user_` and the first eight characters after it."""
    head, _, body = token.rpartition("_")
    return f"{head}_{body[:PREFIX_LENGTH]}"


def new_session() -> str:
    """A session or set-up token with 256 bits of randomness."""
    return secrets.token_urlsafe(32)


def new_id(prefix: str) -> str:
    """A new identifier such as `mon_2f6c…`: 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


def fixed_id(prefix: str, *parts: str) -> str:
    """The identifier that the same parts always get: for what the configuration file names."""
    made = hashlib.blake2b("\0".join(parts).encode(), digest_size=12)
    return f"{prefix}_{made.hexdigest()}"


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(_CHECK_CHARS):
        number, rest = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits
