import pytest

from fastapi_app.cutover.comparing.paths import Wildcard, matches, steps_of, under_index, under_key

ANY, DEEP = Wildcard.STEP, Wildcard.STEPS


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("status", ("status",)),
        ("body.trades[0].price", ("body", "trades", 0, "price")),
        ("headers.content-type", ("headers", "content-type")),
        ('body["a.b"]["\\u00e9"][3]', ("body", "a.b", "é", 3)),
        ('body["*"]', ("body", "*")),
        ("body.trades[*].*", ("body", "trades", ANY, ANY)),
        ("body.**.price", ("body", DEEP, "price")),
        ("**", (DEEP,)),
    ],
)
def test_the_steps_of_a_path(path: str, steps: tuple[object, ...]) -> None:
    assert steps_of(path) == steps


@pytest.mark.parametrize("path", ["", ".a", "a.", "a..b", "a b", "a[b]", "a[0", 'a["b', "a.[0]", "[0]a", "a***"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        steps_of(path)


@pytest.mark.parametrize("key", ["a", "a-b", "a b", "a.b", "", '"', "\\", "é", "*", "**", "0", "[0]", "\ud800", "a\n"])
def test_any_key_can_be_read_again(key: str) -> None:
    assert steps_of(under_index(under_key("body", key), 7)) == ("body", key, 7)


@pytest.mark.parametrize(
    ("pattern", "path", "does"),
    [
        ("body.a", "body.a", True),
        ("body.a", "body.a.b", False),
        ("body.*", "body.a", True),
        ("body.*", "body[0]", True),
        ("body.*", "body", False),
        ("body[*].price", "body[12].price", True),
        ("body[*].price", "body[12].size", False),
        ("body.**", "body", True),
        ("body.**", "body.a[0].b", True),
        ("body.**.price", "body.a[0].price", True),
        ("body.**.price", "body.a[0].price.x", False),
        ("**", "effects.ledger", True),
        ('body["a b"]', 'body["a b"]', True),
        ("body[0]", 'body["0"]', False),
        ('body["*"]', "body.a", False),
    ],
)
def test_a_pattern(pattern: str, path: str, does: bool) -> None:
    assert matches(steps_of(pattern), steps_of(path)) is does
