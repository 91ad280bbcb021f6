"""How Lifesign touches the network: one fence, one resolver, one deadline, every phase timed."""

from lifesign.net.access import Net

__all__ = ["Net"]
