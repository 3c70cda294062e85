"""The values of malformed requests: what no field, parameter or header may be, and what is odd and does no harm.

Those of a body are JSON; those of a query and of headers are as they go over the wire.
"""

import json

WRONG_ANYWHERE = [
    "true",
    "false",
    "[]",
    "{}",
    '[1,"a"]',
    '{"a":1}',
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u001f"',
    '"\\n"',
    '"\N{ZERO WIDTH SPACE}"',
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "1e999999",
    "-1e999999",
    "1e-999999",
    "1e99999999999999999999",
    "-1",
    "9" * 25,
    "1." + "9" * 25,
    "9" * 5000,
    "-" + "9" * 5000,
    "1." + "9" * 5000,
    json.dumps("x" * 1000),
    "01",
    "+1",
    ".5",
    "1.",
    "1_0",
    "0x10",
    "'a'",
    "undefined",
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    "[" * 200 + "]" * 200,
    '{"a":' * 200 + "1" + "}" * 200,
    '{"a":1,"a":1}',
]
NO_SYMBOL = [
    "null",
    "1",
    '"btc-usd"',
    '"BTC--USD"',
    '"-BTC"',
    '"BTC-"',
    '"BTC USD"',
    '"BTC-USD\\n"',
    '"\N{CYRILLIC CAPITAL LETTER VE}TC-USD"',
]
NO_SIDE = ["null", "1", '"BUY"', '"hold"', '"buy "', '"sell\\u0000"', '"b\\u200buy"']
NO_DECIMAL = [
    *("null", "0", "0.0", "-0", "-0.1", "1e19", "1e-19", "1e18", "1e308", "5e-324"),
    *('"0"', '"-1"', '"+1"', '" 1"', '"1 "', '"1_0"', '"1,5"', '"0x1"', '"01"', '"1."', '".5"', '"1e"', '"1e19"'),
    *('"NaN"', '"sNaN"', '"Infinity"', '"-0"', '"0e5"', '"1e-19"', '"\N{ARABIC-INDIC DIGIT THREE}"', '"one"'),
    *(f'"{"9" * 25}"', f'"0.{"9" * 25}"', '"1e999999"', '"1e99999999999999999999"', f'"{"9" * 5000}"'),
]
NO_TIMEFRAME = ["null", "60", '"1M"', '"2m"', '"1m "', '"1m\\n"', '"m"']
NO_STRATEGY = ["1", "0.5", json.dumps("x" * 65), '"rsi\\u0007"', '"rsi\\u2028"', '"rsi\\udfff"']
NO_WHOLE_NUMBER = [
    "null",
    "1.0",
    "1.5",
    "1e1",
    "-0.0",
    '"9"',
    '"9:00"',
    "1000001",
    "2147483648",
    "9223372036854775808",
]
NO_JSON_TYPES = [
    *(b"text/plain", b"text/json", b"application/jsonx", b"application/x-json", b"xapplication/json", b"json"),
    *(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/octet-stream", b""),
    *(b";", b"/", b"*/*", b"application/", b"application", b"application/json/x", b"text/html, application/json"),
    *(b'"application/json"', b"application /json", b"application\\json", b"\xff", b"\xc3\xa9/json", b"a" * 10_000),
    *(b"application/xml", b"image/png", b"text/plain;application/json", b"text/plain+json", b"application/json x"),
]
NO_KEYS = [
    *([b""], [b"a b"], [b"a\tb"], [b"\xff"], [b"\xa0"], [b"\xc3\xa9"], [b"x" * 256], [b"x" * 50_000]),
    *([b"a b", b"c"], [b"x" * 200, b"y" * 200], [b"", b"a b"], [b"\xe2\x80\x8b"], [b"k\x80"]),
]
WRONG_PARAMETERS = {
    b"date": [
        *(b"", b"today", b"2026-13-01", b"2026-02-30", b"2026-2-3", b"20260203", b"2026-02-03T00:00:00", b"0000-01-01"),
        *(b"2026-02-03%00", b"2026-02-03%0a", b"+2026-02-03", b"-2026-02-03", b"%ff", b"9" * 5000, b"NaN", b"[]"),
        *(b"%D9%A2%D9%A0%D9%A2%D9%A6-02-03", b"%ED%A0%80", b"2026-W05-1", b"2026-034", b"null", b"%", b"%zz"),
    ],
    b"symbol": [
        *(b"", b"btc-usd", b"BTC--USD", b"-", b"BTC-", b"BTC%20USD", b"BTC%00USD", b"%ff", b"%C3%89", b"A" * 33),
        *(b"A" * 5000, b"%F0%9F%92%B0", b"'%20OR%201=1--", b"%2e%2e%2f", b"BTC-USD%0d%0aX:1", b"%ED%A0%80", b"[]"),
    ],
    b"status": [b"", b"OPEN", b"done", b"open%00", b"%20open", b"%ff", b"null", b"[open]", b"open,filled", b"o" * 5000],
    b"timeframe": [
        b"",
        b"1M",
        b"60",
        b"1",
        b"m",
        b"2m",
        b"1m%00",
        b"%201m",
        b"1m%0a",
        b"%ff",
        b"null",
        b"[1m]",
        b"1" * 5000,
    ],
    b"limit": [
        *(b"", b"0", b"-1", b"1001", b"1.0", b"1e1", b"NaN", b"Infinity", b"%2B1", b"+1", b"1%20", b"0x10", b"1_0"),
        *(b"9" * 25, b"9" * 5000, b"null", b"true", b"%ff", b"%00", b"%D9%A3", b"1%00", b"[1]", b"1,2", b"50%"),
    ],
}

ODD_QUERIES = [
    *(b"", b"&", b"=", b"==", b"&&&", b"?", b"%", b"%00", b"%ff", b"a=%ff&%ff=a", b"a;b", b"+", b"#", b"Limit=0"),
    *(
        b"limit%00=0",
        b"%20limit=0",
        b"x=" + b"a" * 50_000,
        b"[limit]=0",
        b"limit[]=0",
        b"a=\\",
        b"x={}",
        b"__proto__=1",
    ),
]
EMPTY_QUERIES = [b"", b"&", b"&&&", b"#"]
"""Those of the odd ones that hold no parameter."""
ODD_HEADERS = [
    *((b"Accept", b"text/xml;q=x"), (b"Accept", b"\xff"), (b"Accept-Encoding", b"br;q=9,,"), (b"Accept-Charset", b"x")),
    *(
        (b"Authorization", b"Basic \xff"),
        (b"Authorization", b"Bearer"),
        (b"Cookie", b"\xff=;;;a=\x80"),
        (b"Cookie", b"="),
    ),
    *(
        (b"Range", b"bytes=-1"),
        (b"Range", b"bytes=a-b"),
        (b"If-None-Match", b'"'),
        (b"If-Modified-Since", b"yesterday"),
    ),
    *((b"X-Forwarded-For", b"\xff,,1.2.3.4"), (b"X-Forwarded-Proto", b"javascript"), (b"X-Forwarded-Host", b"a b")),
    *((b"Forwarded", b"for=;;"), (b"Host", b"a b\xff/"), (b"Referer", b"\xff"), (b"User-Agent", b"a" * 50_000)),
    *((b"X-HTTP-Method-Override", b"DELETE"), (b"Content-Encoding", b"gzip"), (b"Expect", b"miracles"), (b"Te", b"x")),
    *((b"X-Cutover-Side", b"native"), (b"Date", b"never"), (b"Via", b"\xff"), (b"Max-Forwards", b"-1"), (b"A", b"")),
]
