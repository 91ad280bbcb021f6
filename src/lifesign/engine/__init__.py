"""The moving parts: due monitors are run, judged, committed, and people are told."""
