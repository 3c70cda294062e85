"""A primary's request and its answer, taken down as they pass."""

from starlette.types import ASGIApp, Message, Scope, Send

from fastapi_app.cutover.candidates.capture import listed
from fastapi_app.cutover.candidates.pair import Pair


async def run_noted(primary: ASGIApp, pair: Pair, scope: Scope, send: Send) -> None:
    """Notes in the pair what is asked and answered, and whether the client left before."""

    async def send_and_note(message: Message) -> None:
        message = listed(message)
        # Events that nobody will compare may come for days.
        if not pair.answer.is_event_stream:
            pair.answer.note(message)
        if pair.answer.complete:
            pair.request.answered()
        if pair.answer.is_event_stream or pair.answer.too_large:
            # It may go on for long, and nobody will compare it.
            pair.request.let_go()
        await send(message)

    async def receive_and_note() -> Message:
        message = await pair.request.receive()
        if message["type"] == "http.disconnect" and pair.side == "native" and not pair.answer.complete:
            pair.client_left = True
        return message

    await pair.request.begin()
    await primary(scope, receive_and_note, send_and_note)
