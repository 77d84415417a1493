"""Steers: what a sampler does with an estimate of expected future reward."""

from methods.steer.backward import BackwardSettings
from methods.steer.best_of_lookahead import BestOfLookaheadSettings
from methods.steer.best_of_n import BestOfNSettings
from methods.steer.embedding import EmbeddingSettings
from methods.steer.guidance import GuidanceSettings
from methods.steer.noise_search import NoiseSearchSettings
from methods.steer.probe import ProbeSettings
from methods.steer.recurrence import RecurrenceSettings
from methods.steer.repel import RepelSettings
from methods.steer.search import SearchSettings
from methods.steer.smc import SmcSettings

STEERS = {
    "backward": BackwardSettings,
    "best_of_lookahead": BestOfLookaheadSettings,
    "best_of_n": BestOfNSettings,
    "embedding": EmbeddingSettings,
    "guidance": GuidanceSettings,
    "noise_search": NoiseSearchSettings,
    "probe": ProbeSettings,
    "recurrence": RecurrenceSettings,
    "repel": RepelSettings,
    "search": SearchSettings,
    "smc": SmcSettings,
}
