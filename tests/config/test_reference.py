"""The page about the configuration cannot fall behind the models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from lifesign.config import Config, load_config
from lifesign.config.declared import Declared
from lifesign.config.model import Section
from lifesign.config.reference import render

DOCS = Path(__file__).parents[2] / "docs"


def models() -> Iterator[type[BaseModel]]:
    yield from Section.__subclasses__()
    yield from Declared.__subclasses__()


def test_the_committed_page_is_what_the_models_say() -> None:
    written = (DOCS / "configuration.md").read_text("utf-8")

    assert render() == written, "run: python -m lifesign.config.reference > docs/configuration.md"


@pytest.mark.parametrize("model", [*models()], ids=lambda model: model.__name__)
def test_every_setting_has_a_description(model: type[BaseModel]) -> None:
    missing = [name for name, info in model.model_fields.items() if not info.description]

    assert missing == []
    assert model.__doc__


def test_the_example_on_the_page_is_valid(tmp_path: Path) -> None:
    example = render().split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "lifesign.yaml"
    path.write_text(example, "utf-8")

    config = load_config(path, {"HOOK_SECRET": "whsec_x"}).config

    assert [monitor.name for monitor in config.monitors] == ["Shop", "Mail server"]
    assert isinstance(config, Config)
