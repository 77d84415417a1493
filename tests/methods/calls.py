"""What every method must cost, as formulas: the meter's counts are held against them.

Counts are samples, not batches; a posterior mean under classifier-free guidance costs e = 2
denoiser samples, on the mixture e = 1. N delivered images, P particles, τ target steps.
"""

from collections import Counter
from math import prod

from methods.interfaces import Level

LOOKING = ("tweedie", "rollout", "toy")  # estimators that ask for the posterior mean


def calls(**counts):
    return Counter(counts)


def times(count, part):
    return Counter({kind: count * value for kind, value in part.items()})


SCORED = calls(decode=1, reward=1)
DIFFERENTIATED = SCORED + calls(decode_backward=1, reward_backward=1)


def prepare(name, efr, e):
    """Once a prompt."""
    if name != "lookahead":
        return calls()
    judged = efr.n * (efr.draws if efr.smoothing > 0 else 1)
    return calls(denoiser=e * efr.n * efr.steps) + times(judged, SCORED)


def value(name, efr, e):
    """Of one particle at one step."""
    if name == "tweedie":
        return times(max(efr.perturbations, 1), SCORED)
    if name == "rollout":
        jump = e * (efr.by == "student")  # the first one, in place of the loop's posterior mean
        return times(efr.n, SCORED) + calls(denoiser=e * efr.n * (efr.steps - 1) + jump)
    if name == "diamond":
        return times(efr.n, SCORED) + calls(denoiser=efr.n + e * (efr.n * efr.nodes + 1))
    if name == "student":
        return SCORED + calls(denoiser=efr.steps)  # without classifier-free guidance
    return calls()


def shift(name, efr, e):
    """Of one particle at one step; its value is then known too."""
    if name == "tweedie":
        back = calls(denoiser_backward=e)
        return times(max(efr.perturbations, 1), DIFFERENTIATED) + back
    if name == "diamond":
        back = efr.n * (2 if efr.weights == "reward" else 1)
        both = calls(decode_backward=efr.n, reward_backward=efr.n, denoiser_backward=back)
        return value(name, efr, e) + both
    if name == "student":
        return DIFFERENTIATED + calls(denoiser=efr.steps, denoiser_backward=efr.steps)
    return value(name, efr, e)


def child(name, efr, e):
    """The value of one particle that a step may lead to."""
    return value(name, efr, e) + calls(denoiser=e * (name in LOOKING))


def expected(method, images, steps, e=1, fractions=None):
    """Of sampling one prompt; ``fractions``: t/T of the solver's levels, evenly spaced if None."""
    fractions = fractions or [1 - k / steps for k in range(steps)]
    particles = images * prod(s.candidates for s in method.steers.values())
    steers = {type(s).__name__: s for s in method.steers.values()}
    named = {label: (name, method.estimators[name]) for label in method.steers
             for name in method.asked(label)[:1]}  # fmt: skip
    of = {type(s).__name__: named.get(label) for label, s in method.steers.items()}
    passes = dict.fromkeys(range(steps), 1)  # how often the solver steps from each level
    total, runs, finished, delivered = calls(), 1, calls(), images

    def active(steer):
        low, high = steer.interval
        return [k for k in passes if low < fractions[k] <= high]

    if start := steers.get("BestOfLookahead"):
        floor = max(start.renoise, fractions[-1]) if start.renoise else 0.0
        passes = {k: 1 for k in passes if fractions[k] <= floor}
        delivered = images if start.renoise else 0  # as they are, they have been decoded
    if again := steers.get("Recurrence"):
        for k in active(again):
            passes[k] *= 1 + again.repeats
    if again := steers.get("Restart"):
        low, high = again.interval
        for k in passes:
            passes[k] += again.repeats * (low < fractions[k] <= high)
    prepared_at, e = e, e + ("Pag" in steers)
    once = calls(denoiser=e * particles * sum(passes.values()))
    shifted = set()
    if (guide := steers.get("Guidance")) and guide.scale > 0:
        at = [k for k in active(guide) if guide.last or k < steps - 1]
        shifted = {(of["Guidance"][0], k) for k in at}
        once += times(particles * sum(passes[k] for k in at), shift(*of["Guidance"], e))
    if probe := steers.get("Probe"):
        each = [shift(n, e_, e) for n, e_ in method.estimators.items()]
        once += times(particles * len(active(probe)), sum(each, Counter()))
    if (back := steers.get("Backward")) and back.scale > 0:
        count = particles * back.inner * sum(passes[k] for k in active(back))
        once += times(count, DIFFERENTIATED)
    if (tfg := steers.get("Tfg")) and tfg.scale > 0:
        ways = (tfg.rho > 0) + (tfg.inner if tfg.mu > 0 else 0)
        draws = tfg.draws if tfg.sigma > 0 else 1
        each = times(ways * draws, DIFFERENTIATED) + calls(denoiser_backward=e * (tfg.rho > 0))
        once += times(particles * sum(passes.values()), each)
    if (date := steers.get("Embedding")) and date.scale > 0:
        updates = sum(passes[k] for k in passes if k % date.every == 0)
        climb = DIFFERENTIATED + calls(denoiser=1, denoiser_backward=1)
        once += times(particles * updates * date.inner, climb)
    if smc := steers.get("Smc"):
        asked = [k for k in smc.resampling_steps(steps) if k in passes]
        asked = [k for k in asked if (of["Smc"][0], k) not in shifted]
        once += times(particles * len(asked), value(*of["Smc"], e))
        finished = times(particles, SCORED)
    if search := steers.get("Search"):
        asked = [k for k in passes if 0 < k < steps - 1 and k % search.every == 0]
        once += times(particles * len(asked), value(*of["Search"], e))
        finished = times(particles, SCORED)
    if (demon := steers.get("Demon")) and demon.n > 1:
        count = sum(passes[k] for k in active(demon) if k < steps - 1)
        once += times(particles * count * demon.n, child(*of["Demon"], e))
    if rbf := steers.get("Rbf"):
        one = child(*of["Rbf"], e)
        starts = rbf.starts if rbf.starts > 1 else 0
        valued = times(starts + rbf.children, one) + value(*of["Rbf"], e)
        once += times(particles, valued)
        if of["Rbf"][0] in LOOKING:  # a chosen child's posterior mean serves again
            once -= calls(denoiser=e * particles * (steps - 1))
    if "BestOfN" in steers:
        finished = times(particles, SCORED)
    if search := steers.get("NoiseSearch"):
        runs, finished = search.rounds, times(particles, SCORED)
    if evo := steers.get("EvoSearch"):
        places = [0, *(round(share * steps) for share in evo.schedule)]
        each = [times(n, calls(denoiser=e * (steps - at)) + SCORED)
                for n, at in zip(evo.sizes, places, strict=True)]  # fmt: skip
        once, finished = Counter(), times(images, sum(each, Counter()))
    if sop := steers.get("Sop"):
        levels = [*fractions, 0.0]
        rounds = sop.rounds([Level(f, 1 - f, f, f) for f in levels])
        down = next(k for k, f in enumerate(levels) if f <= sop.start + 1e-9)
        down = sop.n * down + sop.n * sop.m * sum(bottom - top for top, bottom in rounds)
        one = child(*of["Sop"], e)
        valued = [one if bottom < steps else SCORED for _, bottom in rounds[:-1]]
        once = calls(denoiser=e * images * down) + times(particles, sum(valued, Counter()))
        finished = times(particles, SCORED)
    if draft := steers.get("DraftBestOfN"):
        each = SCORED + calls(denoiser=prepared_at * draft.steps)
        total += times(particles * draft.n, each)
    if dno := steers.get("Dno"):
        forth = calls(denoiser=2 * e * steps, denoiser_backward=e * steps)
        total += times(particles * dno.iterations, forth + DIFFERENTIATED)
    if chain := steers.get("Pcnl"):
        name, efr = of["Pcnl"]
        seen = calls(denoiser=e * (name in LOOKING)) + shift(name, efr, e)
        total += times(particles // chain.share * (chain.iterations + 1), seen)
    if reno := steers.get("Reno"):  # the student's calls are without classifier-free guidance
        again = reno.steps if reno.steps > 1 else 0
        ways = calls(denoiser=reno.steps + again, denoiser_backward=reno.steps) + DIFFERENTIATED
        last = calls(denoiser=reno.steps) + SCORED
        return times(particles * (reno.iterations - 1), ways) + times(images, last)
    if fmrg := steers.get("Fmrg"):
        count = max(fmrg.inner, 1)
        ways = count * fmrg.through  # through the student
        guided = times(count, DIFFERENTIATED) + calls(denoiser=ways or 1, denoiser_backward=ways)
        return (
            times(particles * fmrg.warmup + images * (fmrg.guided - fmrg.warmup), guided)
            + times(particles * (fmrg.starts > 1), calls(denoiser=1) + SCORED)
            + times(images, calls(denoiser=fmrg.tail, decode=1, reward=method.best_seen))
        )
    total += times(runs, once + finished)
    if not finished:
        total += calls(decode=delivered, reward=delivered if method.best_seen else 0)
    for name, efr in method.estimators.items():
        total += prepare(name, efr, prepared_at)
    return total
