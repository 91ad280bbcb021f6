"""Speaks the Model Context Protocol, every revision and transport, and judges nothing."""
