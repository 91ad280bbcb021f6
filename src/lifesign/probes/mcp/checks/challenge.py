"""What a `WWW-Authenticate` header asks for (RFC 9110 §11.6.1). Pure, and never raises: servers send anything.

The grammar is ambiguous for reasons of history: a comma ends a parameter, and also a challenge. The reader goes from
element to element and asks what stands there:
1. `name = value` continues the challenge that is open;
2. a word alone, or a word and a blank, begins the next challenge;
3. what follows that word is its token68 when it is one word of the alphabet that ends at a comma, else its parameters;
4. anything else is skipped up to the next comma.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MAX_CHARS = 16_384
"""A header that is longer is read no further; real ones have a few hundred characters."""

MAX_CHALLENGES = 20

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a production of RFC 9110 §5.6.2
_PARAMETER = re.compile(
    rf'(?P<name>{_TOKEN})[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|$)|(?P<plain>[^\s,"]+))',
    re.DOTALL,
)
_SCHEME = re.compile(rf"(?P<scheme>{_TOKEN})(?=[ \t,]|$)")
_TOKEN68 = re.compile(r"[ \t]+(?P<word>[A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|$)")
_BLANKS = re.compile(r"[\s,]*")
_NEXT = re.compile(r"[^,]*,?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in. `scheme` is in lower case, as are the names of `params`; `token68` is empty for most schemes."""

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""

    @property
    def shown_scheme(self) -> str:
        """The scheme as the registry of HTTP authentication schemes writes it."""
        return _REGISTERED.get(self.scheme, self.scheme.capitalize())


_REGISTERED: Mapping[str, str] = MappingProxyType({"dpop": "DPoP", "gnap": "GNAP", "hoba": "HOBA"})


def parse_challenges(headers: str | Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge of one header or of several of the same name, in order; of a parameter, the first counts."""
    text = headers if isinstance(headers, str) else ", ".join(headers)
    text = text[:MAX_CHARS]
    found: list[tuple[str, dict[str, str], str]] = []
    at = _skip(_BLANKS, text, 0)
    while at < len(text) and len(found) <= MAX_CHALLENGES:
        if found and (parameter := _PARAMETER.match(text, at)):
            found[-1][1].setdefault(parameter["name"].lower(), _value_of(parameter))
            at = parameter.end()
        elif scheme := _SCHEME.match(text, at):
            word = _TOKEN68.match(text, scheme.end())
            found.append((scheme["scheme"].lower(), {}, word["word"] if word else ""))
            at = word.end() if word else scheme.end()
        else:
            at = _skip(_NEXT, text, at)
        at = _skip(_BLANKS, text, at)
    return tuple(
        Challenge(scheme, params, token68) for scheme, params, token68 in found[:MAX_CHALLENGES]
    )


def _value_of(parameter: re.Match[str]) -> str:
    quoted = parameter["quoted"]
    return parameter["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
