"""What a candidate's run comes to."""

from fastapi_app.cutover.candidates.capture import Capture
from fastapi_app.cutover.comparing.observation import Observation, SkipReason
from fastapi_app.cutover.comparing.raised import named
from fastapi_app.cutover.effects import Replay
from shared.modes import Side

NO_ANSWER_TOLD = "no answer"
"""Of an app that returns without having answered as a whole."""


def observed(
    side: Side, capture: Capture, error: BaseException | None, replay: Replay | None
) -> Observation | SkipReason:
    if capture.too_large:
        return "candidate_too_large"
    raised = NO_ANSWER_TOLD if error is None else named(error)
    return Observation(
        side=side,
        answer=capture.answer(),
        effects={} if replay is None else replay.effects(),
        # Behind a whole answer it is an error that the framework has answered and raises again, for the log.
        raised=None if capture.complete else raised,
    )
