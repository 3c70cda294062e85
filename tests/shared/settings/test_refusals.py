"""Wrong values are refused with their key, their bound and where they come from."""

import pytest

from shared.errors import SettingsError
from shared.settings import load_settings
from tests.shared.settings.refusals import refusal, refusal_of_file


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("WINDOW__START_HOUR", "99", "window.start_hour: 99 is not a whole number from 0 to 23"),
        ("WINDOW__START_HOUR", "-1", "window.start_hour: -1 is not a whole number from 0 to 23"),
        ("WINDOW__START_HOUR", "nine", 'window.start_hour: "nine" is not a whole number from 0 to 23'),
        ("WINDOW__START_HOUR", "true", 'window.start_hour: "true" is not a whole number from 0 to 23'),
        ("WINDOW__END_HOUR", "25", "window.end_hour: 25 is not a whole number from 0 to 24"),
        ("WINDOW__END_HOUR", "", 'window.end_hour: "" is not a whole number from 0 to 24'),
        (
            "WINDOW__TIMEZONE",
            "Mars/Olympus",
            'window.timezone: "Mars/Olympus" is not a time zone of the IANA database, such as Europe/Stockholm',
        ),
        ("SERVER__PORT", "65536", "server.port: 65536 is not a whole number from 0 to 65535"),
        ("SERVER__WORKERS", "0", "server.workers: 0 is not a whole number from 1 to 64"),
        ("SERVER__ACCESS_LOG", "perhaps", 'server.access_log: "perhaps" is not true or false'),
        ("SERVER__HOST", "", 'server.host: "" is not an address to listen on, such as 127.0.0.1'),
        ("STORE__PATH", "", 'store.path: "." is not the path of a file'),
        ("STORE__PATH", ":memory:", 'store.path: ":memory:" is not the path of a file'),
        ("STORE__BUSY_TIMEOUT_SECONDS", "0.09", "store.busy_timeout_seconds: 0.09 is not a number from 0.1 to 60"),
        ("STORE__BUSY_TIMEOUT_SECONDS", "nan", "store.busy_timeout_seconds: NaN is not a number from 0.1 to 60"),
        ("LIMITS__MAX_BODY_BYTES", "1023", "limits.max_body_bytes: 1023 is not a whole number from 1024 to 1073741824"),
        ("BRIDGE__THREADS", "257", "bridge.threads: 257 is not a whole number from 1 to 256"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_key_value_and_bound(variable: str, text: str, sentence: str) -> None:
    name = f"TRADEWINDOW_{variable}"
    assert refusal({name: text}) == f"{sentence} (from {name})"


SYMBOLS_RULE = 'a list of 1 to 20 symbols, each once, such as ["BTC-USD"]'
RATE_RULE = 'a decimal in quotes from "0" to "0.1", such as "0.001"'
BALANCES_RULE = (
    "a table of currencies, such as USD, each with a decimal in quotes of at least 0 and at most 18 digits on either "
    'side of the point, such as { USD = "10000" }'
)
QUANTA_RULE = (
    "a table of currencies, such as USD, each with a decimal in quotes greater than 0 and at most 1, such as "
    '{ USD = "0.01" }'
)
MODES_RULE = (
    "a table of endpoints, each with a mode (legacy, shadow, canary, verify or native) or a table of mode, percent "
    '(for canary, and for canary alone) and sample_rate, such as {"GET /api/health": "native"}'
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"GET /api/health": "both"}', '{"GET /api/health": "both"}'),
        ('{"GET /api/health": {"mode": "canary"}}', '{"GET /api/health": {"mode": "canary"}}'),
        ('{"GET /x": {"mode": "shadow", "rate": 1}}', '{"GET /x": {"mode": "shadow", "rate": 1}}'),
        ('{"GET /api/status": "native", "/api/health": "native"}', '{"/api/health": "native"}'),
        ('{"get /api/health": "native"}', '{"get /api/health": "native"}'),
        ("[]", "[]"),
        ("native", '"native"'),
        ('{"GET', '"{\\"GET"'),
    ],
)
def test_a_wrong_mode_is_refused_with_its_endpoint(text: str, shown: str) -> None:
    name = "TRADEWINDOW_CUTOVER__MODES"
    assert refusal({name: text}) == f"cutover.modes: {shown} is not {MODES_RULE} (from {name})"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[server]\nport = "80"', 'server.port: "80" is not a whole number from 0 to 65535'),
        ("[server]\nport = true", "server.port: true is not a whole number from 0 to 65535"),
        ("[server]\nport = 80.0", "server.port: 80.0 is not a whole number from 0 to 65535"),
        ('[server]\naccess_log = "yes"', 'server.access_log: "yes" is not true or false'),
        ("[server]\nhost = 1", "server.host: 1 is not an address to listen on, such as 127.0.0.1"),
        ("[store]\nbusy_timeout_seconds = true", "store.busy_timeout_seconds: true is not a number from 0.1 to 60"),
        ("[window]\nstart_hour = 24", "window.start_hour: 24 is not a whole number from 0 to 23"),
        ('[broker]\nkind = "live"', 'broker.kind: "live" is not "paper" or "exchange"'),
        ("[broker]\nlive = 1", "broker.live: 1 is not true or false"),
        (
            '[broker]\nsymbols = ["BTCUSDT"]',
            'broker.symbols: ["BTCUSDT"] is not a list of at most 20 symbols, such as ["BTC-USDT"]',
        ),
        ("[broker]\nfee_rate = 0.001", f"broker.fee_rate: 0.001 is not {RATE_RULE}"),
        ('[broker]\nfee_rate = "0.11"', f'broker.fee_rate: "0.11" is not {RATE_RULE}'),
        ('[broker]\nslippage_rate = "-0.1"', f'broker.slippage_rate: "-0.1" is not {RATE_RULE}'),
        ('[broker]\nslippage_rate = "nan"', f'broker.slippage_rate: "nan" is not {RATE_RULE}'),
        ("[broker]\nreconcile_seconds = 0", "broker.reconcile_seconds: 0 is not a number from 0.1 to 3600"),
        ('[broker.balances]\nEUR = 1\nUSD = "-1"', f'broker.balances: {{"USD": "-1"}} is not {BALANCES_RULE}'),
        ("[broker.balances]\nUSD = 0.1", f'broker.balances: {{"USD": 0.1}} is not {BALANCES_RULE}'),
        ('[broker.balances]\nusd = "1"', f'broker.balances: {{"usd": "1"}} is not {BALANCES_RULE}'),
        ("[broker.quanta]\nUSD = 0", f'broker.quanta: {{"USD": 0}} is not {QUANTA_RULE}'),
        ("[broker.quanta]\nUSD = 2", f'broker.quanta: {{"USD": 2}} is not {QUANTA_RULE}'),
        ("[bot]\nsymbols = []", f"bot.symbols: [] is not {SYMBOLS_RULE}"),
        (
            '[bot]\nsymbols = ["BTC-USD", "BTC-USD"]',
            f'bot.symbols: ["BTC-USD", "BTC-USD"] is not {SYMBOLS_RULE}',
        ),
        ('[bot]\ntimeframe = "2m"', 'bot.timeframe: "2m" is not one of 1m, 5m, 15m, 1h, 1d'),
        (
            '[bot]\nrisk_per_trade = "0"',
            'bot.risk_per_trade: "0" is not a decimal in quotes greater than "0" and at most "0.1", such as "0.01"',
        ),
        (
            '[bot]\ntake_profit = "11"',
            'bot.take_profit: "11" is not a decimal in quotes of at least "0" and at most "10", such as "0.01"',
        ),
        ("[bot]\nmax_open_positions = 0", "bot.max_open_positions: 0 is not a whole number from 1 to 100"),
        (
            '[cutover]\nclient_key_headers = ["x-client id"]',
            'cutover.client_key_headers: ["x-client id"] is not a list of header names; the first that a request has '
            "tells its client",
        ),
        ('[cutover.modes]\n"GET /x" = "both"', f'cutover.modes: {{"GET /x": "both"}} is not {MODES_RULE}'),
        (
            "[server]\nprot = 80",
            "server.prot: 80 is not expected: "
            "the known fields are host, port, workers, access_log, drain_timeout_seconds",
        ),
        (
            "[sever]\nport = 80",
            'sever: {"port": 80} is not expected: '
            "the sections are server, store, window, market, exchange, limits, bridge, cutover, broker, bot, backtest",
        ),
        ("server = 80", "server: 80 is not a table of keys"),
    ],
)
def test_a_wrong_key_of_the_file_is_refused_with_the_file(toml: str, sentence: str) -> None:
    assert refusal_of_file(toml) == f"{sentence} (from given.toml)"


def test_a_wrong_option_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={}, options={"server": {"workers": 65}})
    assert str(caught.value) == "server.workers: 65 is not a whole number from 1 to 64 (from the command line)"


def test_the_first_wrong_key_in_the_order_of_the_sections_is_named() -> None:
    toml = "[window]\nend_hour = 25\nstart_hour = 99\n[store]\nmax_waiting_writes = 0\n"
    sentence = "store.max_waiting_writes: 0 is not a whole number from 1 to 1000000 (from given.toml)"
    assert refusal_of_file(toml) == sentence
