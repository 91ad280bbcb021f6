"""How alike two definitions are: what tells a renamed tool from one that went while another came."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from lifesign.core.drift.canonical import Plain, encode
from lifesign.core.drift.schemas import structure

ALIKE = 0.8
"""From here on a definition that came is one that went, under another name."""

_MAX_PAIRED = 100
_MAX_TOKENS = 2_000
_LEAST_EVIDENCE = 4
_WORD = re.compile(r"\w+")

T = TypeVar("T")


def likeness(one: Counter[str], other: Counter[str]) -> float:
    """How much of two definitions is the same, 0 to 1 (Dice); 0 where it cannot reach `ALIKE`."""
    total, smaller = one.total() + other.total(), min(one.total(), other.total())
    if smaller < _LEAST_EVIDENCE or 2 * smaller < ALIKE * total:
        # Too little to go by, or too different in size to be alike: the costly part is spared.
        return 0.0
    return 2 * (one & other).total() / total


def tokens(schema: Plain, text: str) -> Counter[str]:
    """What a definition is made of: each leaf of its schema with its place, and each word of its text."""
    found: Counter[str] = Counter()
    for leaf in _leaves(structure(schema)):
        found[leaf] += 1
        if len(found) >= _MAX_TOKENS:
            return found
    found.update(word.lower() for word in _WORD.findall(text)[:_MAX_TOKENS])
    return found


def _leaves(schema: Plain) -> Iterator[str]:
    """Every leaf as `place=value`, without recursion: schemas may be 500 levels deep."""
    waiting: list[tuple[str, Plain]] = [("", schema)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{place}.{name}"[-200:], each) for name, each in value.items()]
        elif isinstance(value, list) and value:
            waiting += [(f"{place}[]"[-200:], each) for each in value]
        elif place != ".type":
            # Every input schema is an object; that is no evidence.
            yield f"{place}={encode(value).decode()[:200]}"


def pairs(
    went: Sequence[T], came: Sequence[T], *, of: Callable[[T], Counter[str]]
) -> list[tuple[T, T]]:
    """What went with what came instead, best matches first; each is used once. Looks at the first 100 of each."""
    sides = ([of(each) for each in went[:_MAX_PAIRED]], [of(each) for each in came[:_MAX_PAIRED]])
    scored = [
        (likeness(old, new), before, after)
        for before, old in enumerate(sides[0])
        for after, new in enumerate(sides[1])
    ]
    scored.sort(key=lambda each: (-each[0], each[1], each[2]))
    found: list[tuple[T, T]] = []
    used: tuple[set[int], set[int]] = (set(), set())
    for score, before, after in scored:
        if score >= ALIKE and before not in used[0] and after not in used[1]:
            used[0].add(before)
            used[1].add(after)
            found.append((went[before], came[after]))
    return found
