"""What `tradewindow cutover set` warns of."""

from collections.abc import Iterator, Mapping

from fastapi_app.cli.cutover_shown import first_of
from fastapi_app.cutover.modes.unproved import NeverCompared, Unproved
from shared.modes import EndpointMode, Mode

_TO_BE_COMPARED: Mapping[NeverCompared, str] = {
    "unsafe": "Clients get native's answers there; shadow compares them only where --effects of `cutover serve` "
    "records their effects, or cutover.pure names them as having none.",
    "costly": "Clients get native's answers there; shadow doesn't compare them either, while cutover.costly says so.",
}
_COMPARING: tuple[Mode, ...] = ("shadow", "canary", "verify")
_READS = ("GET ", "HEAD ", "OPTIONS ", "TRACE ")


def warnings(unproved: Unproved, modes: Mapping[str, EndpointMode]) -> Iterator[str]:
    """A sentence or two for each kind, of the endpoints that were moved, to these modes."""
    moved = len(modes)
    if unsampled := [name for name, mode in modes.items() if mode.mode in _COMPARING and not mode.sample_rate]:
        yield (
            f"Warning: the sample rate is 0 ({len(unsampled)} of {moved} moved): {first_of(unsampled)}. "
            "Nothing is compared there; with --sample-rate 1 every request is."
        )
    never = [name for name in unproved.never_compared if name not in unproved.skipped_as]
    if never:
        # Whether the app records effects is not known here.
        proviso = "" if all(map(_is_read, never)) else " (writes: where their effects are recorded)"
        yield (
            f"Warning: never compared so far ({len(never)} of {moved} moved): {first_of(never)}. "
            f"Clients get native's answers there; in shadow they would be compared first{proviso}."
        )
    for reason, way in _TO_BE_COMPARED.items():
        if skipped := [name for name in unproved.never_compared if unproved.skipped_as.get(name) == reason]:
            yield (
                f"Warning: never compared, but skipped as {reason} ({len(skipped)} of {moved} moved): "
                f"{first_of(skipped)}. {way}"
            )
    if unproved.differing:
        told = [f"{each.endpoint} ({each.mismatches} of {each.compared})" for each in unproved.differing]
        has_no_guard = any(mode.mode == "native" for mode in modes.values())
        unguarded = ", and in native no guard takes them back" if has_no_guard else ""
        yield (
            f"Warning: comparisons differed ({len(told)} of {moved} moved): {first_of(told)}. "
            f"Clients get native's answers there{unguarded}; `tradewindow cutover mismatches` shows what differed. "
            "Once native is mended, `tradewindow cutover forget` lets the counts start over."
        )


def _is_read(name: str) -> bool:
    return name.startswith(_READS)
