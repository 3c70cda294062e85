"""One endpoint, as the inventory has it and the stores keep it. Its module needs no web framework."""

from dataclasses import dataclass

from shared.modes import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One method and rule, in Flask's notation, which sides answer it, and what is to know of the two.

    Legacy may answer a rule of native's by one that is less specific, such as `GET /<path:rest>`. `is_gone` is one that
    the newest inventory doesn't have; a process that started before may still serve it.
    """

    method: str
    rule: str
    legacy: bool
    native: bool
    notes: tuple[str, ...] = ()
    is_gone: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def sides(self) -> frozenset[Side]:
        sides: dict[Side, bool] = {"legacy": self.legacy, "native": self.native}
        return frozenset(side for side, has_it in sides.items() if has_it)
