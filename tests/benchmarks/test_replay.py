from tests.benchmarks.replay import STRATEGIES, Arm, section


def test_each_bound_is_held_against_the_slowest_strategy() -> None:
    rates: dict[tuple[str, Arm], list[float]] = {}
    for strategy in STRATEGIES:
        rates[strategy, "in memory"] = [30_000, 20_000, 25_000]
        rates[strategy, "durable"] = [6_000, 7_000, 8_000]
    rates["rsi", "durable"] = [4_000, 4_999, 9_000]
    text = section(rates).blocks[-1]
    assert text == (
        "The bound in memory is 20,000 candles a second: met. The bound durable is 5,000 candles a second: **missed**."
    )


def test_without_the_recorded_candles_it_says_so() -> None:
    (block,) = section({}).blocks
    assert block == "Not measured: it takes the recorded candles at btc-perp-1m-2022-01.csv."
