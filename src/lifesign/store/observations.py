"""Everything that was observed: written in batches, read as runs, charts and uptime, summed up, pruned."""

from lifesign.store.batches import BatchWriter
from lifesign.store.history import History
from lifesign.store.latencies import Latencies
from lifesign.store.retention import Pruning
from lifesign.store.rollups import Rollups


class ObservationRepository(BatchWriter, History, Latencies, Rollups, Pruning):
    """The five sides of observations under one name."""
