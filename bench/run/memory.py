"""Peak memory by phase, and what was resident before the method began.

On CUDA torch counts the bytes of tensors. On a CPU Linux counts the pages of the whole process, and
its counter of the peak can be set back; elsewhere nothing is counted. The C library keeps freed
pages for later: they would hide what a smaller prompt needs after a larger one, and what target
sampling needs after the lookahead. So they are handed back to Linux before either begins.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, field
from pathlib import Path

import torch

TARGET = ("denoise", "decode")  # the phases of target sampling
RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
PEAK = re.compile(rb"VmHWM:\s+(\d+) kB")


@dataclass
class Peaks:
    """Peak bytes on ``device`` by phase and name: "allocated", and on CUDA "reserved"."""

    device: torch.device
    resident: dict[str, int] = field(default_factory=dict)
    by_phase: dict[str, dict[str, int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Take what is in use now for the models; count from here on."""
        self._hand_back()
        self.resident = self._read() if self._set_back() else {}

    def switch(self, phase: str, to: str) -> None:
        """The phase ``phase`` ends, or is interrupted, and ``to`` begins."""
        if not self.resident:
            return
        known = self.by_phase.setdefault(phase, {})
        known |= {name: max(peak, known.get(name, 0)) for name, peak in self._read().items()}
        if to == TARGET[0] and to not in self.by_phase:
            self._hand_back()
        self._set_back()

    def summary(self) -> dict[str, int] | None:
        """``memory`` of the record; None where nothing is counted."""
        if not self.resident:
            return None
        whole = {n: max(peaks[n] for peaks in self.by_phase.values()) for n in self.resident}
        resident = self.resident["allocated"]
        target = [self.by_phase[p]["allocated"] for p in TARGET if p in self.by_phase]
        return whole | {"target": max(target, default=resident), "resident": resident}

    def _hand_back(self) -> None:
        if self.device.type == "cpu" and RESET.exists():
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
            if trim is not None:
                trim(0)

    def _set_back(self) -> bool:
        """Let the peak be what is in use now; False where nothing is counted."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return True
        if self.device.type != "cpu":
            return False
        try:
            RESET.write_text("5")  # the peak alone; other numbers do other things
        except OSError:
            return False
        return True

    def _read(self) -> dict[str, int]:
        """The peak since it was set back."""
        if self.device.type == "cuda":
            return {
                "allocated": int(torch.cuda.max_memory_allocated(self.device)),
                "reserved": int(torch.cuda.max_memory_reserved(self.device)),
            }
        found = PEAK.search(STATUS.read_bytes())
        return {"allocated": int(found[1]) * 1024} if found else {}
