"""What every store promises: one suite for all backends and both faces."""
