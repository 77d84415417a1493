"""Estimates with intervals over prompts: pure functions of arrays.

numpy and scipy alone; knows nothing of files, methods or reports. Random generators are passed in.
"""

from bench.stats.bootstrap import DRAWS as DRAWS
from bench.stats.bootstrap import Array as Array
from bench.stats.bootstrap import Draws as Draws
from bench.stats.bootstrap import Strata as Strata
from bench.stats.bootstrap import resample as resample
from bench.stats.breakeven import BreakEven as BreakEven
from bench.stats.breakeven import break_even as break_even
from bench.stats.control import SAME as SAME
from bench.stats.control import Controlled as Controlled
from bench.stats.control import at_matched_cost as at_matched_cost
from bench.stats.cost import cost_ratio as cost_ratio
from bench.stats.cost import speedup as speedup
from bench.stats.equivalence import Answer as Answer
from bench.stats.equivalence import answer as answer
from bench.stats.equivalence import equivalent as equivalent
from bench.stats.frontier import of_estimates as of_estimates
from bench.stats.holm import holm as holm
from bench.stats.holm import p_value as p_value
from bench.stats.improvement import improvement as improvement
from bench.stats.interval import LEVEL as LEVEL
from bench.stats.interval import Interval as Interval
from bench.stats.interval import percentile as percentile
from bench.stats.interval import share as share
from bench.stats.interval import student as student
from bench.stats.interval import student_ratio as student_ratio
from bench.stats.matched import Level as Level
from bench.stats.matched import Matched as Matched
from bench.stats.matched import best_of as best_of
from bench.stats.matched import matched as matched
from bench.stats.quality import geneval as geneval
from bench.stats.quality import geneval_difference as geneval_difference
from bench.stats.quality import geneval_tasks as geneval_tasks
from bench.stats.quality import geometric as geometric
from bench.stats.quality import headline as headline
from bench.stats.quality import mean as mean
from bench.stats.seeds import pooled as pooled
from bench.stats.sweep import Estimates as Estimates
from bench.stats.sweep import Sweep as Sweep
from bench.stats.sweep import cost_ratios as cost_ratios
from bench.stats.sweep import headlines as headlines
from bench.stats.sweep import means as means
