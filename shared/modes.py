"""What the cutover does with an endpoint."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Mode = Literal["legacy", "shadow", "canary", "verify", "native"]
Side = Literal["legacy", "native"]


class EndpointMode(BaseModel):
    """An endpoint's mode: which side answers, and how many of its requests the other side is compared on.

    `percent` is the share of clients, 0 to 100, that a canary sends to native; other modes have none. `sample_rate`,
    0 to 1, is the share of requests that shadow, canary and verify compare.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mode: Annotated[Mode, Field(description="legacy, shadow, canary, verify or native")]
    percent: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            validate_default=True,
            description="a number from 0 to 100, which canary needs and no other mode takes",
        ),
    ] = None
    sample_rate: Annotated[float, Field(ge=0, le=1, description="a number from 0 to 1")] = 1.0

    @field_validator("percent")
    @classmethod
    def _percent_belongs_to_canary(cls, percent: float | None, info: ValidationInfo) -> float | None:
        if "mode" in info.data and (percent is not None) != (info.data["mode"] == "canary"):
            raise ValueError("a percent is given for canary, and for canary alone")
        return percent

    def needs(self) -> frozenset[Side]:
        """The sides without which an endpoint can't be in this mode."""
        if self.mode == "legacy" or self.mode == "native":
            return frozenset({self.mode})
        return frozenset({"legacy", "native"})

    def __str__(self) -> str:
        """Such as `canary 5% (sample rate 0.5)`."""
        percent = f" {self.percent:g}%" if self.percent is not None else ""
        sampled = f" (sample rate {self.sample_rate:g})" if self.sample_rate != 1 else ""
        return f"{self.mode}{percent}{sampled}"
