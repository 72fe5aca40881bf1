"""The settings of a VM that a box may pass to VBoxManage.

VBoxManage can do anything on the host that its user can: write files (`--uart-mode1 file`), load
libraries (`setextradata VBoxInternal/…`), listen on the network (`--vrde`), show host folders.
A box may come from anywhere. So it may only use the settings below, which stay inside the VM.
"""

import re
from difflib import get_close_matches
from typing import Final

COMMAND: Final = "modifyvm"

OPTIONS: Final = frozenset(
    {
        *("acpi", "apic", "audio-driver", "audio-enabled", "chipset", "cpu-profile"),
        *("cpuexecutioncap", "cpu-execution-cap", "firmware", "graphicscontroller", "hpet"),
        *("hwvirtex", "ioapic", "keyboard", "large-pages", "largepages", "long-mode", "longmode"),
        *("mouse", "natdnshostresolver1", "nat-dns-host-resolver1", "natdnsproxy1"),
        *("nested-hw-virt", "nested-paging", "nestedpaging", "nictype1", "nic-type1", "pae"),
        *("page-fusion", "pagefusion", "paravirt-provider", "paravirtprovider", "rtc-use-utc"),
        *("rtcuseutc", "triple-fault-reset", "usb", "usb-ehci", "usb-ohci", "usb-xhci", "usbehci"),
        *("usbohci", "usbxhci", "vram", "vtx-ux", "vtx-vpid", "vtxux", "vtxvpid", "x2apic"),
    }
)
_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_WORDS: Final = 3


def why_not(line: tuple[str, ...]) -> tuple[str, str] | None:
    """Say what is wrong with a line of `customize`, and what is right; None when nothing is."""
    example = f'such as [{COMMAND}, --vram, "16"]'
    if len(line) != _WORDS or line[0] != COMMAND or not line[1].startswith("--"):
        return f"it must be {COMMAND}, one option and its value", example
    option = line[1].removeprefix("--")
    if option not in OPTIONS:
        near = get_close_matches(option, sorted(OPTIONS), n=1)
        hint = f"Perhaps you meant `--{near[0]}`?" if near else "It could reach beyond the VM"
        return f"a box may not set `--{option}`", hint
    if _VALUE.fullmatch(line[2]) is None:
        return "its value must be a word of letters, digits, dots and dashes", example
    return None
