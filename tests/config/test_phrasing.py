"""What is wrong is said in plain words, with what to write instead."""

from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from lifesign.config.phrasing import sentence_of


class Sample(BaseModel):
    count: int = Field(default=1, ge=1, le=5)
    share: float = Field(default=0.5, gt=0, lt=1)
    pause: timedelta = Field(default=timedelta(minutes=1), ge=timedelta(seconds=10))
    words: tuple[str, ...] = Field(default=("a",), min_length=1, max_length=2)
    short: str = Field(default="a", min_length=1, max_length=3)
    tag: Annotated[str, Field(pattern=r"^[^\s,]{1,64}$")] = "a"
    odd: Annotated[str, Field(pattern=r"^x+$")] = "x"
    choice: Literal["low", "high"] = "low"
    when: bytes = b""


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("count", 0, "Write 1 or more."),
        ("count", 6, "Write 5 or less."),
        ("count", "x", "Write a whole number."),
        ("share", 0, "Write more than 0."),
        ("share", 1, "Write less than 1."),
        ("share", "x", "Write a number."),
        ("pause", timedelta(0), "Write 10 seconds or more."),
        ("words", (), "Give at least 1 item."),
        ("words", ("a", "b", "c"), "Give at most 2 items."),
        ("short", "", "Write at least 1 character."),
        ("short", "abcd", "Write at most 3 characters."),
        ("tag", "a b", "Write one word of at most 64 characters, without spaces and commas."),
        ("odd", "y", "Write it in the form ^x+$."),
        ("choice", "mid", "Write 'low' or 'high'."),
        ("when", 1, "Write a valid bytes."),
    ],
)
def test_each_finding_is_one_plain_sentence(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({field: value})

    assert [sentence_of(detail) for detail in caught.value.errors()] == [said]
