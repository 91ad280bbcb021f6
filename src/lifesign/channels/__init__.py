"""The kinds of channel: one file per kind, each a settings model and one function."""
