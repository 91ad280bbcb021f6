"""What the machine itself says about names: /etc/hosts and /etc/resolv.conf, read as glibc reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_NAMESERVERS = 3


@dataclass(frozen=True, slots=True)
class SystemNames:
    """Name servers (address, port), search domains, `ndots`, and the names of the hosts file."""

    nameservers: tuple[tuple[str, int], ...]
    search: tuple[str, ...]
    ndots: int
    hosts: Mapping[str, tuple[str, ...]]


def read_system_names(
    *, resolv_conf: Path = Path("/etc/resolv.conf"), hosts: Path = Path("/etc/hosts")
) -> SystemNames:
    """Read both files; one that is missing or unreadable counts as empty."""
    servers: list[tuple[str, int]] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for words in _lines(resolv_conf):
        if words[0] == "nameserver" and len(words) > 1:
            servers.append((words[1].partition("%")[0], 53))
        elif words[0] in {"search", "domain"}:
            search = tuple(word.strip(".").lower() for word in words[1:] if word.strip("."))
        elif words[0] == "options":
            ndots = next(
                (int(w[6:]) for w in words if w.startswith("ndots:") and w[6:].isdigit()), ndots
            )
    # resolv.conf(5): without a name server, the one on this machine is asked.
    found = tuple(servers[:MAX_NAMESERVERS]) or (("127.0.0.1", 53),)
    return SystemNames(found, search, ndots, read_hosts(hosts))


def read_hosts(path: Path) -> dict[str, tuple[str, ...]]:
    """Names to addresses, in the file's order."""
    names: dict[str, tuple[str, ...]] = {}
    for address, *aliases in _lines(path):
        for alias in aliases:
            known = names.get(alias.lower(), ())
            if address not in known:
                names[alias.lower()] = (*known, address)
    return names


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    stripped = (line.split("#", 1)[0].split(";", 1)[0].split() for line in text.splitlines())
    return [words for words in stripped if words]
