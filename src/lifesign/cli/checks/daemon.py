"""The daemon: whether one runs and answers, whether its clock is ours, what it says of itself."""

import stat
from email.utils import parsedate_to_datetime

import httpx2

from lifesign.cli.checks.finding import Finding, Level
from lifesign.cli.client import DAEMON_FILE, Place, find_daemon, http_client
from lifesign.clock import SystemClock
from lifesign.core.errors import LifesignError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_APART_S = 5.0


async def check_daemon(place: Place) -> Finding:
    """Whether a daemon is there and well."""
    loose = _open_to_others(place)
    if loose is not None:
        return loose
    try:
        found = await find_daemon(place)
    except LifesignError as error:
        return Finding("daemon", Level.FAIL, error.message, error.remedy)
    if found is None:
        fix = f"Start it: lifesign serve --data {place.data}"
        return Finding("daemon", Level.WARN, f"none runs on {place.data.absolute()}", fix)
    async with http_client(found) as http:
        try:
            response = await http.get("/api/v1/health")
        except httpx2.HTTPError as error:
            fix = "Check the address, and that `lifesign serve` runs there."
            text = f"{found.url} did not answer: {str(error) or type(error).__name__}"
            return Finding("daemon", Level.FAIL, text, fix)
    return _judged(found.url, response)


def _open_to_others(place: Place) -> Finding | None:
    path = place.data / DAEMON_FILE
    if place.url or not path.exists() or not path.stat().st_mode & _OTHERS:
        return None
    text = f"{path} holds an admin token and other users can read it"
    return Finding("daemon", Level.FAIL, text, f"chmod 600 {path}, then start the daemon again.")


def _judged(url: str, response: httpx2.Response) -> Finding:
    if response.is_error:
        fix = "Set LIFESIGN_TOKEN to a valid token." if response.status_code == 401 else ""
        text = f"{url} answered HTTP {response.status_code}"
        return Finding("daemon", Level.FAIL, text, fix or "Look at the daemon's log.")
    said = response.json()
    text = f"{url} runs version {said['version']}"
    if said["problems"] or not said["storage_ok"]:
        trouble = "; ".join(said["problems"]) or "the database does not answer"
        return Finding("daemon", Level.FAIL, f"{text}, with trouble: {trouble}", "See its log.")
    apart_s = _apart_s(response.headers.get("date", ""))
    if apart_s > _APART_S:
        fix = "Turn on time synchronisation on both machines."
        return Finding("daemon", Level.WARN, f"{text}; its clock is {apart_s:.0f} s from ours", fix)
    return Finding("daemon", Level.OK, text)


def _apart_s(date: str) -> float:
    if not date:
        return 0.0
    return abs((SystemClock().now() - parsedate_to_datetime(date)).total_seconds())
