"""Steers: what a sampler does with an estimate of expected future reward, one a file."""

from methods.base import Steer
from methods.steer.apg import Apg
from methods.steer.backward import Backward
from methods.steer.best_of_lookahead import BestOfLookahead
from methods.steer.best_of_n import BestOfN
from methods.steer.cfg_zero import CfgZero
from methods.steer.demon import Demon
from methods.steer.dno import Dno
from methods.steer.draft_best_of_n import DraftBestOfN
from methods.steer.embedding import Embedding
from methods.steer.evosearch import EvoSearch
from methods.steer.fmrg import Fmrg
from methods.steer.guidance import Guidance
from methods.steer.noise_search import NoiseSearch
from methods.steer.pag import Pag
from methods.steer.pcnl import Pcnl
from methods.steer.probe import Probe
from methods.steer.rbf import Rbf
from methods.steer.recurrence import Recurrence
from methods.steer.reno import Reno
from methods.steer.repel import Repel
from methods.steer.restart import Restart
from methods.steer.search import Search
from methods.steer.smc import Smc
from methods.steer.sop import Sop
from methods.steer.tfg import Tfg
from methods.steer.token_guidance import TokenGuidance

STEERS: dict[str, type[Steer]] = {
    "apg": Apg,
    "backward": Backward,
    "best_of_lookahead": BestOfLookahead,
    "best_of_n": BestOfN,
    "cfg_zero": CfgZero,
    "demon": Demon,
    "dno": Dno,
    "draft_best_of_n": DraftBestOfN,
    "embedding": Embedding,
    "fmrg": Fmrg,
    "evosearch": EvoSearch,
    "guidance": Guidance,
    "noise_search": NoiseSearch,
    "pag": Pag,
    "pcnl": Pcnl,
    "probe": Probe,
    "rbf": Rbf,
    "recurrence": Recurrence,
    "reno": Reno,
    "repel": Repel,
    "restart": Restart,
    "search": Search,
    "smc": Smc,
    "sop": Sop,
    "tfg": Tfg,
    "token_guidance": TokenGuidance,
}
