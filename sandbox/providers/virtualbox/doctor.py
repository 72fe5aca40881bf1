"""Doctor's findings about VirtualBox and the Vagrant that would drive it."""

from sandbox.providers.findings import HostReport
from sandbox.providers.vagrant.doctor import image_finding, size_finding, vagrant_finding
from sandbox.providers.virtualbox import installation as virtualbox_look
from sandbox.providers.virtualbox.installation import VirtualBoxFacts


def virtualbox_report(facts: VirtualBoxFacts) -> HostReport:
    """Report all findings. A doubt only means that the provider is not the default."""
    on_linux = facts.system == "Linux"
    vagrant_fix = "sudo apt-get install vagrant" if on_linux else "install Vagrant from its site"
    findings = [
        *virtualbox_look.virtualbox_findings(facts),
        vagrant_finding(facts.vagrant_text, vagrant_fix),
        size_finding(facts.memory_mb, facts.free_disk_gb),
    ]
    if on_linux:
        # Elsewhere none are built, and only public ones exist
        findings.append(image_finding("virtualbox", facts.missing_tools, facts.machine))
    return HostReport("virtualbox", tuple(findings))
