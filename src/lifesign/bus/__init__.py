"""How the parts hear of one another: topics, in this process or (later) between several."""

from lifesign.bus.contract import Bus, Change, ChangeOf, Subscription, Topic
from lifesign.bus.local import LocalBus

__all__ = ["Bus", "Change", "ChangeOf", "LocalBus", "Subscription", "Topic"]
