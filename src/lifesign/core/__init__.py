"""The pure heart: values and decisions, without a clock, a socket or a framework."""
