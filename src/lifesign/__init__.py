"""Lifesign: self-hosted monitoring that knows what is alive, tells people and answers assistants."""

__version__ = "0.1.0"
