"""How Lifesign touches the network: one fence, one resolver, one deadline, every phase timed."""

from lifesign.net.access import Net
from lifesign.net.failures import NetError

__all__ = ["Net", "NetError"]
