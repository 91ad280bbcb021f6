"""How a comparison is told: to a person at a terminal, to a program, and to a reviewer as Markdown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from lifesign.cli.manifest_source import Source
from lifesign.cli.markdown import escaped
from lifesign.cli.output import Colour, clean, emit, paint
from lifesign.core.drift.tampering import SUSPICIOUS
from lifesign.core.drift.values import Change, Impact

SUSPICIOUS_TEXT = "suspicious"
CLASSES = (*(impact.value for impact in Impact), SUSPICIOUS_TEXT)
"""What may be allowed: every impact, and text that asks for a closer look by its own name."""

COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "breaking": "red",
        "hint": "yellow",
        "suspicious": "yellow",
        "text": "blue",
        "additive": "green",
        "info": "dim",
    }
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two manifests, what changed between them, and which changes are allowed."""

    before: Source
    after: Source
    changes: tuple[Change, ...]
    allowed: frozenset[str]

    @property
    def refused(self) -> tuple[Change, ...]:
        """The changes that are not allowed, worst first."""
        return tuple([change for change in self.changes if class_of(change) not in self.allowed])

    @property
    def verdict(self) -> str:
        """`same`, `allowed` or `drift`."""
        if self.refused:
            return "drift"
        return "allowed" if self.changes else "same"


def class_of(change: Change) -> str:
    """What a change counts as: its impact, or `suspicious`."""
    return SUSPICIOUS_TEXT if change.code in SUSPICIOUS else change.impact.value


def as_object(found: Comparison) -> dict[str, object]:
    """The comparison as the one JSON object that programs read."""
    return {
        "verdict": found.verdict,
        "allowed": sorted(found.allowed),
        "before": _side(found.before),
        "after": _side(found.after),
        "counts": _counts(found.changes),
        "changes": [
            {
                **asdict(change),
                "class": class_of(change),
                "allowed": class_of(change) in found.allowed,
            }
            for change in found.changes
        ],
    }


def _side(source: Source) -> dict[str, object]:
    manifest = source.manifest
    return {
        "source": source.name,
        "digest": manifest.digest,
        "hashes": dict(manifest.hashes),
        "server": dict(manifest.server),
        "tools": manifest.tool_count,
    }


def _counts(changes: Sequence[Change]) -> dict[str, int]:
    found = Counter(class_of(change) for change in changes)
    return {name: found[name] for name in CLASSES if found[name]}


def draw(found: Comparison) -> None:
    """Print the comparison for a person."""
    before, after = clean(found.before.name), clean(found.after.name)
    if found.verdict == "same":
        emit(f"{paint('● same', 'green')}  {after} publishes what {before} holds")
        emit(
            paint(
                f"  {found.after.manifest.tool_count} tools, {found.after.manifest.digest}", "dim"
            )
        )
        return
    mark = paint("■ drift", "red") if found.refused else paint("● allowed", "green")
    emit(f"{mark}  {after} differs from {before}: {_summary(found.changes)}")
    emit()
    for change in found.changes:
        name = class_of(change)
        emit(f"  {paint(f'{name:<10}', COLOURS[name])} {clean(change.message)}")
        if change.before and change.after:
            emit(paint(f"  {'':<10} {clean(change.before, 90)} → {clean(change.after, 90)}", "dim"))
    if found.refused:
        emit("\n  → If the changes are meant, write the manifest anew and let them be reviewed.")


def _summary(changes: Sequence[Change]) -> str:
    return ", ".join(f"{count} {name}" for name, count in _counts(changes).items())


def as_markdown(found: Comparison) -> str:
    """The comparison for a pull request or a job summary. Nothing of the server's own text is live in it."""
    heads = {"same": "unchanged", "allowed": "changed as allowed", "drift": "changed"}
    lines = [f"### MCP surface {heads[found.verdict]}", ""]
    lines.append(f"{escaped(found.before.name)} → {escaped(found.after.name)}")
    if found.changes:
        lines += [
            "",
            f"{_summary(found.changes)}.",
            "",
            "| class | what | where | before | after |",
        ]
        lines.append("|---|---|---|---|---|")
    for change in found.changes:
        name = class_of(change)
        shown = name if name in found.allowed else f"**{name}**"
        cells = (change.message, change.path, change.before, change.after)
        lines.append(
            " | ".join([f"| {shown}", *[escaped(clean(cell, 160)) for cell in cells]]) + " |"
        )
    lines += [
        "",
        f"<sub>{found.after.manifest.tool_count} tools, `{found.after.manifest.digest}`</sub>",
    ]
    return "\n".join(lines)
