"""The report of ``experiment=cost_model``: predicted costs as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.costs import figures
from bench.costs.devices import DEVICES
from bench.costs.model import (
    Assumptions,
    by_part,
    flops,
    seconds,
    total_seconds,
)
from bench.costs.parts import Parts
from bench.costs.predicted import (
    PAPERS,
    VARIANTS,
    Costed,
    assumed,
    by_n,
    by_pixels,
    efficiency,
    ratio,
    row_of,
)
from bench.report.document import Bullets, Document, Part, Picture, Report, Section, Table
from bench.report.lidar.published import published

GUESS = 0.5  # share of the peaks, where no seconds of a backbone's vanilla are published
NONE = "–"
MOST = 20.0  # times vanilla's operations, in a figure
ABOUT = (
    "Ratios of a prompt's cost to vanilla's by the same target solver and steps. FLOPs: plain "
    "floating-point operations. Roofline: each operation takes the longer of its floating-point "
    "operations at an A100's peak for its type and its bytes at the memory's bandwidth. Peaks "
    "alone: bytes are free. Paper: measured there, on one A100 80 GB. Errors are those of the "
    "predicted ratio, relative to the paper's."
)
COSTS = (
    "TFLOP a prompt by phase, and ratios to vanilla; seconds are the roofline's over one "
    "efficiency, {0}. * a method that runs one image at a time."
)
SENSITIVITY = (
    "The ratio to vanilla under other assumptions. Peaks alone: bytes are free. TF32 products: "
    "float32 matrix products and attention are rounded to TF32 too, which torch leaves off. "
    "Half-precision reward: the reward computes in half precision. One by one: every method runs "
    "one image at a time, vanilla too."
)
BY_N = (
    "LiDAR over its number n of lookahead samples: cost in units of vanilla's. Guidance: the "
    "arithmetic of the guided steps themselves, as a share of vanilla's cost; it is all of the "
    "target sampling that grows with n."
)
BY_PIXELS = "Ratio to vanilla by the roofline at other sides of the image, in pixels."
ONE = (
    "One sample of each part, and one text through all text encoders: TFLOP by kind of operation, "
    "and bytes in GB. Backward is the gradient with respect to the part's input alone. Weights are "
    "read once a call, whatever its number of samples."
)
PEAKS = (
    "Dense peaks in TFLOP/s and bandwidth in GB/s. Convolutions in float32 run at the TF32 peak "
    "(torch's default), matrix products and attention in float32 at the float32 peak."
)


def report(
    costed: Sequence[Costed], sides: Mapping[int, Parts], pixels: int, sizes: Sequence[int]
) -> Report:
    """``sides``: the parts at each side of the image, of which ``pixels`` is the backbone's
    own. ``sizes``: numbers of lookahead samples."""
    parts, backbone = sides[pixels], costed[0].settings["backbone"]
    frame = pd.DataFrame([row_of(one, parts) for one in costed])
    fitted = efficiency(costed, parts)
    share = fitted or GUESS
    for key, device in DEVICES.items():
        own = [total_seconds(parts, by_part(c.calls, c.texts), device, assumed(c)) for c in costed]
        frame[f"seconds.{key}"] = [value / share for value in own]
    told = f"{share:.2f}, fitted on vanilla's published seconds"
    if fitted is None:
        told = f"{share:.2f}, a guess: no cell is a vanilla whose seconds are published"
    known = frame[frame["paper"].notna() & (frame["paper"] != 1)]
    sections = (
        Section("Predicted against published", _against(known)),
        Section("What each method costs", _costs(frame, costed, parts, told)),
        Section("What the assumptions move", (_sensitivity(costed, parts),)),
        Section(
            "How costs grow", _growth(by_n(costed, parts, sizes, pixels), by_pixels(costed, sides))
        ),
        Section("One sample of each part", (_one_sample(parts),)),
        Section("Devices", (_devices(),)),
        Section("Assumptions", (Bullets(_assumptions(costed[0], told)),)),
    )
    facts = {
        "backbone": str(backbone["name"]),
        "guiding reward": str(costed[0].settings["reward"]),
        "image": f"{pixels} × {pixels} pixels",
        "images a prompt": str(costed[0].settings["images"]),
        "efficiency": told,
    }
    notes = (
        "nothing here was timed: costs are predicted from the methods' own calls and the true "
        "architecture, and no weights were needed",
    )
    document = Document(
        f"cost model: {backbone['name']}", facts, notes, tuple(s for s in sections if s.parts)
    )
    return Report(document, _brief(frame), f"predicted costs, {backbone['name']}", notes)


def _against(known: pd.DataFrame) -> tuple[Part, ...]:
    if known.empty:
        return ()
    shown = pd.DataFrame(
        {
            "method": known.label,
            "paper": known.paper.map("{:.2f}×".format),
            "roofline": known.roofline.map("{:.2f}×".format),
            "error": (known.roofline / known.paper - 1).map("{:+.0%}".format),
            "peaks alone": known.peaks.map("{:.2f}×".format),
            "its error": (known.peaks / known.paper - 1).map("{:+.0%}".format),
            "FLOPs": known.flops.map("{:.2f}×".format),
            "FLOPs' error": (known.flops / known.paper - 1).map("{:+.0%}".format),
            "paper's seconds": known["paper.seconds"].map("{:.1f}".format),
            "predicted seconds": known["seconds.a100"].map("{:.1f}".format),
        }
    )
    return (
        Picture("predicted", "Predicted ratios against the paper's", ABOUT, figures.against(known)),
        Table("predicted", shown, "", known),
    )


def _costs(
    frame: pd.DataFrame, costed: Sequence[Costed], parts: Parts, told: str
) -> tuple[Part, ...]:
    shown = pd.DataFrame({"method": frame.label + frame.alone.map({True: " *", False: ""})})
    shown["TFLOP"] = frame.TFLOP.map("{:,.0f}".format)
    for phase in ("prepare", "annotate", "denoise", "decode"):
        spent = frame.get(f"phase.{phase}", pd.Series(0.0, frame.index))
        shown[phase] = spent.fillna(0).map("{:,.0f}".format)
    shown["FLOPs / vanilla"] = frame.flops.map("{:.2f}×".format)
    shown["roofline / vanilla"] = frame.roofline.map("{:.2f}×".format)
    for key, device in DEVICES.items():
        shown[f"s, {device.name}"] = frame[f"seconds.{key}"].map("{:,.1f}".format)
    return (
        Table("costs", shown, COSTS.format(told), frame),
        Picture(
            "parts", "Floating-point operations by part",
            f"In units of vanilla's; of the first target solver, up to {MOST:g} times vanilla.",
            figures.parts(frame[(frame.target == frame.target.iloc[0]) & (frame.flops < MOST)]),
        ),
    )  # fmt: skip


def _sensitivity(costed: Sequence[Costed], parts: Parts) -> Table:
    rows = []
    for one in costed:
        if one.method == "vanilla":
            continue
        found = published(one.settings)
        row = {"method": one.label, "paper": found.ratio if found else None}
        row |= {name: ratio(one, parts, given) for name, given in VARIANTS.items()}
        samples, base = by_part(one.calls, one.texts), by_part(one.vanilla, one.texts)
        single = Assumptions(together=1)
        row["one by one"] = total_seconds(parts, samples, PAPERS, single) / total_seconds(
            parts, base, PAPERS, single
        )
        rows.append(row)
    full = pd.DataFrame(rows)
    shown = full.copy().astype(object)
    for name in [*full][1:]:
        shown[name] = [NONE if pd.isna(value) else f"{value:.2f}×" for value in full[name]]
    return Table("sensitivity", shown, SENSITIVITY, full)


def _growth(over_n: pd.DataFrame, over_pixels: pd.DataFrame) -> tuple[Part, ...]:
    parts: list[Part] = []
    if not over_n.empty:
        shown = over_n.assign(
            n=over_n.n.astype(str),
            flops=over_n.flops.map("{:.2f}×".format),
            roofline=over_n.roofline.map("{:.2f}×".format),
            guidance=over_n.guidance.map("{:.2%}".format),
        ).rename(columns={"flops": "FLOPs"})
        parts += [
            Picture("by_n", "LiDAR over n", BY_N, figures.by_n(over_n)),
            Table("by_n", shown, BY_N, over_n),
        ]
    sides = [*over_pixels][2:]
    shown = over_pixels[["label", *sides]].rename(columns={"label": "method"})
    for side in sides:
        shown[side] = shown[side].map("{:.2f}×".format)
    return (*parts, Table("by_pixels", shown, BY_PIXELS, over_pixels))


def _one_sample(parts: Parts) -> Table:
    rows = []
    for kind, operations in parts.items():
        row: dict[str, Any] = {"part": kind.replace("_", " "), "TFLOP": flops(operations)}
        for op, count in operations.items():
            if op.flops:
                name = f"{op.kind}, {op.dtype}"
                row[name] = row.get(name, 0.0) + op.flops * count / 1e12
        row["GB of weights"] = sum(op.weights * n for op, n in operations.items()) / 1e9
        row["GB moved"] = sum(op.moved * n for op, n in operations.items()) / 1e9
        row["ms, A100's peaks"] = 1e3 * seconds(operations, PAPERS, Assumptions())
        rows.append(row)
    full = pd.DataFrame(rows)
    last = ["GB of weights", "GB moved", "ms, A100's peaks"]
    full = full[[c for c in full if c not in last] + last]
    shown = full.astype(object)
    for name in [*full][1:]:
        shown[name] = [NONE if pd.isna(v) else f"{v:,.3f}" for v in full[name]]
    return Table("one_sample", shown, ONE, full)


def _devices() -> Table:
    rows = [
        {"device": d.name, "half precision": f"{d.half:g}", "TF32": f"{d.tf32:g}",
         "float32": f"{d.single:g}", "bandwidth": f"{d.bandwidth:,}", "source": d.source}
        for d in DEVICES.values()
    ]  # fmt: skip
    return Table("devices", pd.DataFrame(rows), PEAKS, prose=("source",))


def _assumptions(one: Costed, told: str) -> tuple[str, ...]:
    backbone = one.settings["backbone"]
    vae = backbone["vae_dtype"] if backbone["vae_dtype"] != "auto" else backbone["accelerated"]
    return (
        "Calls are those of the method itself, run on a toy model under the benchmark's meter.",
        "Floating-point operations are those of the true architecture on tensors without data: "
        "matrix products, convolutions and attention; a multiplication and an addition are two. "
        "Fused attention computes its scores again in the backward pass.",
        f"Types: denoiser and text encoders {backbone['accelerated']}, decoder {vae}, reward "
        f"{one.settings['rewards'][one.settings['reward']].get('dtype', 'float32')}.",
        "Convolutions in float32 run as TF32, other products in float32 do not: torch's defaults.",
        "Every operation reads its inputs from memory and writes its outputs there: nothing is "
        "fused, nothing stays in a cache. Weights are read once for the images sampled together.",
        "DATE's gradient ends at the text embedding, the others' at the latent; both are counted "
        "as the latter, which is 3 to 8 % more.",
        "A reward that is no network of the package costs nothing here.",
        "The text encoders run once a prompt and text. Distilled denoisers have the teacher's "
        "architecture.",
        "Not counted: the host, launches of kernels, copies, the solver's and the noise's "
        "arithmetic, and LiDAR's own but in the growth over n.",
        f"Efficiency, the share of the peaks that is reached: {told}. One number stands for all "
        "parts and all devices; ratios to vanilla do not depend on it. Peak is not achieved speed: "
        "that ratios agree may be partly luck.",
    )


def _brief(frame: pd.DataFrame) -> pd.DataFrame:
    def told(value: float, form: str) -> str:
        return NONE if pd.isna(value) else form.format(value)

    return pd.DataFrame(
        {
            "method": frame.label,
            "TFLOP": frame.TFLOP.map("{:,.0f}".format),
            "FLOPs / vanilla": frame.flops.map("{:.2f}×".format),
            "roofline / vanilla": frame.roofline.map("{:.2f}×".format),
            "paper": [told(v, "{:.2f}×") for v in frame.paper.astype(float)],
            "error": [
                told(r / p - 1, "{:+.0%}")
                for r, p in zip(frame.roofline, frame.paper.astype(float), strict=True)
            ],
            "s on an A100": frame["seconds.a100"].map("{:,.1f}".format),
        }
    )
