"""What is looked at once the handshake holds: one module an idea."""
