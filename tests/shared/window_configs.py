"""What several tests say of configs."""

KNOWN_FIELDS = (
    "expected: the known fields are start_hour, end_hour, max_trades_per_day, timezone, intervals, calendar, "
    "blackouts, weekly_blackouts, day_turns_at, day_timezone, symbol_limits, side_limits, strategy_limits, "
    "cooldown_seconds, symbol_cooldown_seconds, permit_seconds, in_doubt_after_seconds, confirm_while_halted"
)
