"""The result of `lifesign load`, for whoever sits at the terminal and for programs."""

from lifesign.cli.load_run import Job, Measured
from lifesign.cli.load_tally import Held, Trouble
from lifesign.cli.output import clean, emit, paint

_MOST_CLASSES = 20


def as_object(
    target: str, job: Job, measured: Measured, held: tuple[Held, ...]
) -> dict[str, object]:
    """The result as one JSON object."""
    tally = measured.tally
    return {
        "target": target,
        "passed": all(each.is_kept for each in held),
        "work": measured.work.title,
        "server": clean(measured.greeted),
        "address": measured.address,
        "concurrency": job.concurrency,
        "stopped": measured.stopped,
        "elapsed_s": round(measured.elapsed_s, 3),
        "requests": tally.total,
        "ok": tally.ok,
        "failed": tally.failed,
        "ok_per_s": round(measured.rate, 3),
        "error_rate": round(tally.error_rate, 6),
        "latency_ms": tally.latencies(),
        "connections": tally.connections,
        "sessions": tally.sessions,
        "bytes_sent": tally.bytes_sent,
        "bytes_received": tally.bytes_received,
        "errors": [
            {
                "layer": layer,
                "code": code,
                "count": trouble.count,
                "message": clean(trouble.first.message),
                "remedy": clean(trouble.first.remedy),
            }
            for (layer, code), trouble in _worst_first(measured)
        ],
        "limits": [
            {"fail_on": each.limit.text, "found": each.found, "kept": each.is_kept} for each in held
        ],
    }


def draw(target: str, job: Job, measured: Measured, held: tuple[Held, ...]) -> None:
    """Print the result for a person."""
    tally = measured.tally
    is_kept = all(each.is_kept for each in held)
    word = paint("● passed", "green") if is_kept else paint("■ failed", "red")
    emit(f"{word}  {paint(clean(target), 'bold')}")
    who = "1 client" if job.concurrency == 1 else f"{job.concurrency} clients"
    ending = ", interrupted" if measured.stopped == "interrupted" else ""
    emit(paint(f"  {measured.work.title}, {who}, {measured.elapsed_s:.1f} s{ending}", "dim"))
    emit()
    failed = f"{tally.failed:,} failed ({tally.error_rate:.2%})"
    colour = failed if not tally.failed else paint(failed, "red")
    emit(f"  requests   {tally.ok:,} ok, {colour}")
    emit(f"  rate       {measured.rate:,.1f} ok/s")
    emit(f"  latency    {_latency(measured)}")
    emit(f"  traffic    {_bytes(tally.bytes_received)} received, {_bytes(tally.bytes_sent)} sent")
    emit(f"             {tally.connections:,} connections, {tally.sessions:,} sessions")
    emit(f"  server     {clean(measured.greeted, 200)}")
    _draw_errors(measured)
    emit()
    for each in held:
        mark = paint("●", "green") if each.is_kept else paint("■", "red")
        emit(f"  {mark} {each.limit.subject} {_found(each)}, {each.limit.wanted}")


def _draw_errors(measured: Measured) -> None:
    found = _worst_first(measured)
    if found:
        emit()
    for (layer, code), trouble in found[:_MOST_CLASSES]:
        emit(f"  {trouble.count:>9,} × {paint(f'{layer}/{code}', 'red')}")
        emit(f"              {clean(trouble.first.message, 200)}")
    if len(found) > _MOST_CLASSES:
        emit(f"  and {len(found) - _MOST_CLASSES} more classes; `--json` has them all")


def _worst_first(measured: Measured) -> list[tuple[tuple[str, str], Trouble]]:
    return sorted(measured.tally.troubles.items(), key=lambda each: -each[1].count)


def _latency(measured: Measured) -> str:
    told = measured.tally.latencies()
    return "   ".join(f"{name} {_ms(value)}" for name, value in told.items())


def _found(held: Held) -> str:
    if held.found is None:
        return "nothing was measured"
    if held.limit.subject == "errors":
        return f"{held.found:.2%}"
    return f"{held.found:,.1f}/s" if held.limit.subject == "rate" else _ms(held.found)


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 10_000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _bytes(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"
