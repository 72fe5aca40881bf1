"""The Vagrantfile with real Ruby and real Vagrant: whatever a box says, nothing of it is run."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.providers.vagrant.cli import vagrant_environment
from sandbox.providers.vagrant.files import (
    VagrantfileHost,
    VmFolder,
    VmProvider,
    VmRecord,
    render_domain,
    render_vagrantfile,
)
from sandbox.spec.models import LibvirtOptions, VirtualBoxOptions

FACTS = VagrantfileHost(prefix="sbxtest", console_path=Path("/nowhere/console.log"))

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "'; File.write('MARK', ''); '",
            '"; File.write("MARK", ""); "',
            "#{File.write('MARK', '')}",
            "\\'; File.write('MARK', '') #",
            "`touch MARK`",
            "%x(touch MARK)",
            "\n__END__\n",
            "\n=begin\n",
            "end; end; File.write('MARK', '')",
            "#$0 #@x",
            "\\",
            "<<EOS",
        ]
    ),
    st.text(max_size=40),
)


def record(provider: VmProvider, text: str = "", customize: str = "16") -> VmRecord:
    """A machine every free text of which is `text`."""
    return VmRecord(
        provider=provider,
        name=f"m{text}" if text else "machine",
        vm_name=f"sbxtest-{text}",
        uuid="0b4e7a0c-6e0b-4a55-9f0b-0123456789ab",
        image=f"sandbox/base{text.replace('@', '')}@1{text}",
        cpus=1,
        memory_mb=512,
        disk_gb=4,
        authorized_key=f"ssh-ed25519 AAAA {text}",
        ssh_port=20201,
        forwarded=((3838, 20202),),
        labels=(("box", text),),
        virtualbox=VirtualBoxOptions.model_construct(
            customize=(("modifyvm", "--vram", customize),)
        ),
        libvirt=LibvirtOptions.model_construct(
            cpu_mode="custom" if text else None, cpu_model=text or None
        ),
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sbx-vagrantfile-"))
    yield path
    shutil.rmtree(path)


# Runs the Vagrantfile with a Vagrant that only notes what it is told: in the real one, loading
# takes a second each time
_STUB = """
class Told
  def method_missing(name, *args, **kw)
    return $told << [name, args, kw] && Told.new unless block_given?
    $told << [name, args, kw]
    yield Told.new
  end
  def respond_to_missing?(*) = true
end
module Vagrant
  def self.configure(*) = yield(Told.new)
  def self.has_plugin?(*) = false
  def self.user_data_path = Pathname.new("/nowhere")
end
require "pathname"
require "json"
$told = []
ARGF.read.split("\\0").each { |source| eval(source, TOPLEVEL_BINDING.dup, "Vagrantfile") }
def texts(one)
  case one
  when Hash then one.values.flat_map { |value| texts(value) }
  when Array then one.flat_map { |value| texts(value) }
  when String then [one]
  else []
  end
end
puts JSON.generate(texts($told))
"""


@pytest.mark.usefixtures("vagrant_tools")
@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_hostile_text_stays_text(folder: Path, provider: VmProvider) -> None:
    sources: list[str] = []
    texts: list[str] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(HOSTILE)
    def collect(text: str) -> None:
        # A NUL separates the files below; no string of a box can hold one
        clean = text.replace("\0", "").encode("utf-8", "replace").decode()
        sources.append(render_vagrantfile(record(provider, clean, clean), FACTS))
        texts.append(clean)

    collect()
    (folder / "stub.rb").write_text(_STUB)
    done = subprocess.run(
        ["ruby", "stub.rb"],
        input="\0".join(sources).encode(),
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    said = set(json.loads(done.stdout))
    for text in texts:
        assert f"ssh-ed25519 AAAA {text}" in said, repr(text)
    assert not (folder / "MARK").exists()


@pytest.mark.usefixtures("vagrant_tools")
@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
@pytest.mark.parametrize("text", ["", "'; `touch MARK`; '", "#{`touch MARK`}", "a\nb"])
def test_ruby_can_read_it(folder: Path, provider: VmProvider, text: str) -> None:
    path = folder / "Vagrantfile"
    path.write_text(render_vagrantfile(record(provider, text, text), FACTS))
    done = subprocess.run(
        ["ruby", "-wc", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "Syntax OK\n", done.stderr
    assert done.stderr == ""


@pytest.mark.usefixtures("vagrant_tools")
@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_vagrant_accepts_it(provider: VmProvider) -> None:
    if provider == "virtualbox" and shutil.which("VBoxManage") is None:
        # `vagrant validate` loads the provider, which insists on its program
        words = ["vagrant", "validate", "--ignore-provider"]
    else:
        words = ["vagrant", "validate"]
    with tempfile.TemporaryDirectory(prefix="sbx-vagrant-") as name:
        folder = VmFolder(Path(name))
        folder.write_vagrantfile(record(provider), FACTS)
        (folder.path / "id_ed25519").touch()
        env = {**vagrant_environment(folder.path, provider), "VAGRANT_HOME": f"{name}/home"}
        done = subprocess.run(
            words,
            cwd=name,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validated successfully" in done.stdout


@pytest.mark.usefixtures("vagrant_tools")
@pytest.mark.parametrize("ignored", [True, False])
def test_a_base_images_own_ruby_is_never_run(*, ignored: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="sbx-vagrant-") as name:
        folder, home = VmFolder(Path(name) / "m"), Path(name) / "home"
        stored = home / "boxes" / "evil-VAGRANTSLASH-box" / "1.0" / "libvirt"
        stored.mkdir(parents=True)
        (stored / "metadata.json").write_text('{"provider": "libvirt", "architecture": "amd64"}')
        mark = Path(name) / "MARK"
        (stored / "Vagrantfile").write_text(f"File.write({str(mark)!r}, '')\n")
        machine = record("libvirt").model_copy(update={"image": "evil/box@1.0"})
        folder.write_vagrantfile(machine, FACTS)
        (folder.path / "id_ed25519").touch()
        if not ignored:
            # The counter-proof: without that line Vagrant does run it
            text = folder.vagrantfile.read_text()
            folder.vagrantfile.write_text(text.replace("ignore_box_vagrantfile = true", "guest"))
        env = {**vagrant_environment(folder.path, "libvirt"), "VAGRANT_HOME": str(home)}
        done = subprocess.run(
            ["vagrant", "ssh-config"],
            cwd=folder.path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert mark.exists() is not ignored, done.stdout + done.stderr


@given(HOSTILE)
@settings(max_examples=100, deadline=None)
def test_the_domain_is_whole_xml(text: str) -> None:
    clean = "".join(char for char in text if char.isprintable())
    domain = ElementTree.fromstring(render_domain(record("libvirt", clean), FACTS, Path("/d.img")))
    assert domain.findtext("name") == f"sbxtest-{clean}"
    assert [one.tag for one in domain.findall("devices/disk")] == ["disk"]
