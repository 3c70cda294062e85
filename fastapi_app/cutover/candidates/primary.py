"""A primary's answer, taken down as it goes out to its client."""

from starlette.types import ASGIApp, Message, Scope, Send

from fastapi_app.cutover.candidates.capture import listed
from fastapi_app.cutover.candidates.pair import Pair


async def run_noted(primary: ASGIApp, pair: Pair, scope: Scope, send: Send) -> None:
    """Notes in the pair what is asked and answered, and whether the client left before."""

    async def send_and_note(message: Message) -> None:
        message = listed(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await pair.request.take_what_is_there()
        # Events that nobody will compare may come for days.
        if not pair.answer.is_event_stream:
            pair.answer.note(message)
        await send(message)

    async def receive_and_note() -> Message:
        message = await pair.request.receive()
        if message["type"] == "http.disconnect" and pair.side == "native" and not pair.answer.complete:
            pair.client_left = True
        return message

    try:
        await primary(scope, receive_and_note, send_and_note)
    except Exception:
        await _taken_down(pair)
        raise
    await _taken_down(pair)


async def _taken_down(pair: Pair) -> None:
    """Where the app has no whole answer, the server gives one."""
    if not pair.answer.complete:
        await pair.request.take_what_is_there()
