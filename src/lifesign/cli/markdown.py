"""Text of others within Markdown that people and pull requests render."""

import re

from lifesign.cli.output import clean

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def escaped(text: str, limit: int = 500) -> str:
    """The text on one line with nothing live in it: no markup, no HTML, no link, no mention."""
    plain = clean(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _MARKDOWN.sub(r"\\\1", plain)
    return marked.replace("@", "&#64;").replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
