"""`/api/health`"""

from tests.parity.case import JSON, NOT_FOUND, Case, allows, get, head, head_of, moved, not_allowed, ok, stray

HEALTHY = ok('{"status":"healthy"}')

CASES = (
    Case(
        name="health: the process answers",
        steps=(
            (get("/api/health"), HEALTHY),
            (get("/api/health?verbose=1&verbose"), HEALTHY),
            (get("/api/health", ("Content-Type", JSON), ("Accept", "text/html"), ("Cookie", "a=1")), HEALTHY),
        ),
        rows=(13, 14),
    ),
    Case(
        name="health: HEAD is GET without the body",
        steps=((head("/api/health"), head_of(HEALTHY)), (head("/api/health?x"), head_of(HEALTHY))),
        rows=(35,),
    ),
    Case(
        name="health: OPTIONS names the methods",
        steps=((stray("OPTIONS", "/api/health"), allows("GET, HEAD, OPTIONS")),),
        rows=(36,),
    ),
    Case(
        name="health: other methods are refused with Allow",
        steps=tuple(
            (stray(method, "/api/health", body=body), not_allowed("GET, HEAD, OPTIONS"))
            for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
            for body in (b"", b"{}")
        ),
        rows=(2,),
    ),
    Case(
        name="health: a slash too many is not found, a doubled one is redirected but at the start",
        steps=(
            (stray("GET", "/api/health/"), NOT_FOUND),
            (stray("HEAD", "/api/health/"), head_of(NOT_FOUND)),
            (stray("GET", "//api/health"), HEALTHY),
            (stray("GET", "/api//health"), moved("http://bot.example/api/health")),
        ),
        rows=(33,),
    ),
    Case(
        name="health: an encoded letter is the letter, another case is another path",
        steps=((stray("GET", "/API/health"), NOT_FOUND), (stray("GET", "/api/Health"), NOT_FOUND)),
    ),
)
