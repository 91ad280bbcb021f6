"""What every page is given: the services, the kinds, the clock and the templates."""

from dataclasses import dataclass

from starlette.requests import Request

from lifesign.clock import Clock
from lifesign.probes.registry import Kinds
from lifesign.service.services import Services
from lifesign.web.assets import Assets
from lifesign.web.render import Renderer

SESSION_COOKIE = "lifesign_session"


@dataclass(frozen=True, slots=True)
class Look:
    """How one browser wants its pages; kept in plain cookies, since it is no secret."""

    theme: str = "auto"
    keys: str = "on"
    times: str = "utc"


LOOK_CHOICES = {
    "theme": ("auto", "light", "dark"),
    "keys": ("on", "off"),
    "times": ("utc", "local"),
}


def look_of(request: Request) -> Look:
    """The look that the browser's cookies ask for; anything strange counts as the default."""
    default = Look()
    chosen = {
        name: value
        for name, choices in LOOK_CHOICES.items()
        if (value := request.cookies.get(f"lifesign_{name}", "")) in choices
    }
    return Look(
        theme=chosen.get("theme", default.theme),
        keys=chosen.get("keys", default.keys),
        times=chosen.get("times", default.times),
    )


@dataclass(frozen=True, slots=True)
class Site:
    """One web face.

    `events_url` is the event stream that pages follow (another face serves it); `config_file` names
    the file that file-owned monitors are written in.
    """

    services: Services
    kinds: Kinds
    clock: Clock
    assets: Assets
    renderer: Renderer
    base_url: str
    events_url: str
    config_file: str
