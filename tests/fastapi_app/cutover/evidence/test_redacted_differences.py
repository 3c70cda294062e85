"""Differences and effects of redacted sides, and what is accepted still."""

import copy
import json
from dataclasses import replace
from datetime import date
from typing import Any

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference, Observation
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.evidence.redaction import redacted
from tests.fastapi_app.cutover.evidence.mismatches import FIELDS, JSON, mismatch, seen


def seen_differences(primary: Observation, candidate: Observation, *rules: AcceptedDifference) -> list[str]:
    """Of a mismatch with the differences that `compare` finds, which say what they were, after its redaction."""
    verdict = compare(primary, candidate, accepted=rules)
    assert verdict.outcome == "mismatch"
    given = replace(mismatch(), primary=primary, candidate=candidate, differences=verdict.differences)
    shown = redacted(given, fields=FIELDS, accepted=rules)
    return [str(difference) for difference in shown.differences]


def test_differences_are_those_of_the_redacted_sides() -> None:
    def side(secret: str, name: str, price: str) -> Observation:
        user = f'{{"Api-Token": {{"pin": "{secret}"}}, "name": "{name}"}}'
        body = f'{{"password": "{secret}", "users": [{user}], "p": {price}}}'
        headers = (*JSON, ("set-cookie", f"session={secret}; Path=/"), ("location", f"/a?pin={secret}"))
        return seen(body, headers, effects={"calls": [{"Authorization": secret}, [["cookie", secret]]]})

    assert seen_differences(side("xyzzy", "ann", "1.5"), side("plugh", "bob", "2.5")) == [
        "headers.set-cookie.session: primary 'session=[redacted]; Path=/', "
        "candidate 'session=[redacted, another value]; Path=/'",
        "headers.location: primary '/a?pin=[redacted]', candidate '/a?pin=[redacted, another value]'",
        "body.password: primary '[redacted]', candidate '[redacted, another value]'",
        "body.users[0].Api-Token: primary '[redacted]', candidate '[redacted, another value]'",
        "body.users[0].name: primary 'ann', candidate 'bob'",
        "body.p: primary 1.5, candidate 2.5",
        "effects.calls[0].Authorization: primary '[redacted]', candidate '[redacted, another value]'",
        "effects.calls[1][0][1]: primary '[redacted]', candidate '[redacted, another value]'",
    ]


def test_what_is_accepted_is_accepted_still() -> None:
    rule = AcceptedDifference(
        name="cookies", endpoint="*", path="headers.set-cookie.**", reason="known", expires=date(2999, 1, 1)
    )
    primary, candidate = (seen(body, (*JSON, ("set-cookie", f"a={body}"))) for body in ("[1]", "[2]"))
    assert seen_differences(primary, candidate, rule) == ["body[0]: primary 1, candidate 2"]


def test_a_cookie_that_differs_in_nothing_that_counts_is_no_difference_afterwards() -> None:
    primary, candidate = (
        seen(body, (("set-cookie", f"a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:0{body} GMT"),))
        for body in ("1", "2")
    )
    assert seen_differences(primary, candidate) == ["body: primary 'line 1: 1', candidate 'line 1: 2'"]


def test_a_difference_within_a_secret_that_can_not_be_told_apart_keeps_its_path() -> None:
    assert seen_differences(seen('{"pin": 0.1}'), seen('{"pin": 0.10000000000000000000001}')) == ["body.pin"]
    deep: Any = 1
    for _ in range(2_000):
        deep = [deep]
    assert seen_differences(seen("1", effects={"a": deep}), seen("1")) == ["effects"]


def test_a_secret_in_a_path_is_redacted() -> None:
    assert seen_differences(seen('{"/?pin=1": 1}'), seen('{"/?pin=1": 2}')) == [
        'body["/?pin=[redacted]"]: primary 1, candidate 2'
    ]
    (long,) = seen_differences(seen(json.dumps({"a" * 9_000: 1})), seen("{}"))
    assert long == "body." + "a" * 994 + "…: primary 1, candidate nothing"


def test_of_an_exception_the_type_is_kept() -> None:
    message = "ValidationError: 1 error for Login [type=missing, input_value={'password': 'xyzzy'}]"
    assert seen_differences(seen("1", raised=message), seen("1")) == [
        "raised: primary 'ValidationError', candidate nothing"
    ]


def test_a_difference_of_texts_shows_no_part_of_a_secret_and_is_short() -> None:
    secret = "0123456789" * 10
    primary, candidate = (f'{{"password": "{secret}", "a": 1{end}' for end in ("}" + " " * 100_000, ""))
    assert seen_differences(seen(primary), seen(candidate)) == [
        'body: primary \'line 1: {"password": "[redacted]", "a": 1}' + " " * 119 + "…', "
        'candidate \'line 1: {"password": "[redacted]", "a": 1\''
    ]
    assert len(seen_differences(seen("x" * 100_000), seen(""))[0]) < 300


def test_effects_and_recording() -> None:
    recording = {
        "instant": "2025-03-03T12:30:15Z",
        "calls": [
            {
                "url": "https://example.org/?a=1&api_token=t",
                "headers": [["Authorization", "Bearer x"], ["accept", "*/*"]],
                "body": '{"pin": 1, "a": 2}',
                "password": ["x"],
            }
        ],
        "state": {"pin": None, "count": 3, "open": True},
    }
    given = mismatch(recording=recording)
    given = replace(given, primary=replace(given.primary, effects={"ledger": [{"password": "x"}]}))
    shown = redacted(given, fields=FIELDS)
    assert shown.recording == {
        "instant": "2025-03-03T12:30:15Z",
        "calls": [
            {
                "url": "https://example.org/?a=1&api_token=[redacted]",
                "headers": [["Authorization", "[redacted]"], ["accept", "*/*"]],
                "body": '{"pin": "[redacted]", "a": 2}',
                "password": "[redacted, another value]",
            }
        ],
        "state": {"pin": None, "count": 3, "open": True},
    }
    assert shown.primary.effects == {"ledger": [{"password": "[redacted]"}]}


def test_the_mismatch_itself_is_left_as_it_was() -> None:
    given = mismatch(
        query="pin=1",
        body=b'{"pin": 1}',
        primary=b'{"pin": 1}',
        recording={"a": [{"pin": 1}]},
        differences=[Difference(path="body.pin", primary={"pin": 1}, candidate=2)],
    )
    before = copy.deepcopy(given)
    redacted(given, fields=FIELDS)
    assert given == before


def test_a_mismatch_without_secrets_stays_as_it_is() -> None:
    given = mismatch(
        query="a=%20&b",
        headers=(*JSON, ("accept", "text/html;q=0.5")),
        body=b'{ "a":1 }',
        primary=b"[[1]]",
        candidate=b'[{"a": null}]',
        differences=[Difference(path="body[0]", primary=[1], candidate={"a": None})],
        recording={"a": [1, {"b": None}]},
    )
    assert redacted(given, fields=FIELDS) == given
