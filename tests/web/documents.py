"""Reading pages as a parser reads them: which elements, attributes and texts there are."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

PAGES = {
    "overview": "/",
    "filtered": "/?q=state:down+kind:mcp",
    "nothing found": "/?q=no-such-thing",
    "monitor down": "/monitors/billing-tools",
    "monitor degraded, from the file": "/monitors/search-api",
    "server with checks": "/monitors/github",
    "server behind sign-in": "/monitors/stripe?by=p95",
    "surface": "/monitors/billing-tools/surface",
    "surface, pinned": "/monitors/stripe/surface",
    "surface, none": "/monitors/new-one/surface",
    "diff": "/monitors/billing-tools/surface/diff",
    "diff, none": "/monitors/new-one/surface/diff",
    "add, with parts": "/add?kind=mcp",
    "drift alert": "/alerts/alert-5",
    "monitor new": "/monitors/new-one",
    "heartbeat": "/monitors/nightly-backup",
    "hostile texts": "/monitors/nasty",
    "add": "/add",
    "add, pasted": "/add?target=https://shop.example.com/",
    "add, unknown": "/add?target=no+idea",
    "add, by kind": "/add?kind=http",
    "add, heartbeat": "/add?kind=heartbeat",
    "edit": "/monitors/api/edit",
    "alerts": "/alerts",
    "alert": "/alerts/alert-1",
    "hostile alert": "/alerts/alert-4",
    "channels": "/channels",
    "channel, new": "/channels/add/webhook",
    "channel": "/channels/c1",
    "route, new": "/routes/add",
    "route": "/routes/r2",
    "settings": "/settings",
    "not found": "/monitors/none",
}
OPEN_PAGES = {"login": "/login", "setup": "/setup?token=setup-token"}


@dataclass
class Document(HTMLParser):
    """Every element with its attributes, and all text outside of scripts."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]


def parse(html: str) -> Document:
    """The document that a page's text makes."""
    document = Document()
    document.feed(html)
    return document
