"""The kinds of probe: one file per kind, each a settings model, a facts model and one function."""
