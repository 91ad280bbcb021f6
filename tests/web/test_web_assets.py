"""Static files: cacheable for ever, as small as promised, and what others wrote is what they wrote."""

import gzip
import hashlib
import re

from lifesign.web.assets import FOLDER, load_assets
from web.documents import parse

ROW = re.compile(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)


def test_vendored_files_are_what_their_readme_says():
    vendor = FOLDER / "vendor"
    listed = dict(ROW.findall((vendor / "README.md").read_text()))

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.name != "README.md"
    }

    assert listed == found


def test_every_vendored_package_has_its_licence():
    names = {path.name for path in (FOLDER / "vendor").iterdir()}

    assert {"htmx.LICENSE", "uplot.LICENSE", "inter.LICENSE"} <= names


async def test_assets_are_compressed_and_kept_for_ever(client):
    url = load_assets().url("app.css")

    answer = await client.get(url, headers={"Accept-Encoding": "gzip"})
    plain = await client.get(url, headers={"Accept-Encoding": "identity"})

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert (FOLDER / "app.css").read_bytes() == plain.content == answer.content


async def test_an_old_fingerprint_is_answered_but_not_kept(client):
    answer = await client.get("/static/000000000000/app.css")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_nothing_but_the_listed_files_is_served(client):
    assert (await client.get("/static/x/vendor/README.md")).status_code == 404
    assert (await client.get("/static/x/..%2Fapp.py")).status_code == 404


async def test_the_first_load_stays_within_its_budget(client):
    """200 kB for the overview with everything it fetches, static files as they travel."""
    answer = await client.get("/")
    page = parse(answer.text)
    assets = load_assets()
    urls = {one["src"] for one in page.all("script")} | {
        one["href"] for one in page.all("link") if one["href"].startswith("/static/")
    }

    total = len(answer.content)
    for url in urls:
        body = (FOLDER / url.split("/", 3)[3]).read_bytes()
        total += len(body if url.endswith("woff2") else gzip.compress(body))

    assert assets.fingerprint in answer.text
    assert total < 200_000
