"""`Net`: all that a probe or channel needs to reach out, built once by the composition root."""


class Net:
    """The egress fence, the resolver and the shared TLS contexts."""
