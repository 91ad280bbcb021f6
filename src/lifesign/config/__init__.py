"""What the operator writes down: environment over file over defaults, checked before anything starts."""

from lifesign.config.load import Loaded, load_config
from lifesign.config.model import Config
from lifesign.config.problems import ConfigError, Origins, Place, Problem, nearest
from lifesign.config.types import Duration, Size

__all__ = [
    "Config",
    "ConfigError",
    "Duration",
    "Loaded",
    "Origins",
    "Place",
    "Problem",
    "Size",
    "load_config",
    "nearest",
]
