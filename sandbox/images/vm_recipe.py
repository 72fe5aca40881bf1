"""What a virtual machine's image has and a container's has not: kernel, boot, a growing disk. Pure.

One root serves libvirt and VirtualBox. Only the packing differs, because each provider boots its
own format.
"""

from sandbox.images.recipe import Form

ROOT_LABEL = "sandbox-root"

# net.ifnames=0: the first network card is eth0 on every hypervisor. systemd writes to the last
# console: with a serial port, errors at boot can be read from outside
KERNEL_ARGUMENTS = (
    f"root=LABEL={ROOT_LABEL} ro net.ifnames=0 console=tty0 console=ttyS0,115200 quiet loglevel=4 "
    # The kernel's self-tests of its ciphers take seconds where the processor is emulated
    "cryptomgr.notests"
)

_UBUNTU_PACKAGES = ("linux-image-virtual", "initramfs-tools", *("fdisk", "e2fsprogs", "zstd"))
"""Ubuntu's kernel for virtual machines; systemd-timesyncd is there already."""

# linux-image-cloud-amd64 is a third of the size, but lacks what VirtualBox needs: ahci, e1000, and
# vboxguest with vboxsf, without which there are no synced folders. fdisk (sfdisk) and e2fsprogs
# (resize2fs, which Debian 13 no longer has by itself) let the root file system grow. A container
# gets its time from the host, a machine has to ask for it
PACKAGES = ("linux-image-amd64", "fdisk", "e2fsprogs", "zstd", "systemd-timesyncd")

# Disk and root file system of every hypervisor we make images for, and nothing else: with all of
# Debian's drivers the initramfs takes seconds to unpack where the processor is emulated
_INITRAMFS_MODULES = "ext4 virtio_pci virtio_blk virtio_scsi ahci ata_piix sd_mod"

# Half of the kernel package, in a machine without screen, sound, radio or camera
_LEFT_OUT_DRIVERS = (
    "drivers/gpu",
    "drivers/media",
    "drivers/net/wireless",
    "drivers/infiniband",
    "drivers/iio",
    "drivers/staging",
    "drivers/comedi",
    "sound",
)

# Old PC hardware that hypervisors still show, with drivers that take long to find nothing; and
# drivers for virtual machines inside the virtual machine
_NOT_LOADED = ("floppy", "parport_pc", "ppdev", "pcspkr", "kvm_amd", "kvm_intel", "ccp")

# The first two look for LVM snapshots. Nobody has a password for a login on the serial console,
# and without a serial port the boot would wait for it
_MASKED_UNITS = ("e2scrub_reap.service", "e2scrub_all.timer", "serial-getty@ttyS0.service")

_BEFORE_PACKAGES = """\
set -eu
root=$1
put() { mkdir -p "$(dirname "$root$2")"; cat > "$root$2"; chmod "$1" "$root$2"; }

put 0644 /etc/dpkg/dpkg.cfg.d/sandbox-drivers <<'END'
# A virtual machine has none of the devices that these are for
@EXCLUDES@
END
put 0644 /etc/initramfs-tools/conf.d/sandbox <<'END'
MODULES=list
COMPRESS=zstd
RESUME=none
END
put 0755 /etc/initramfs-tools/hooks/sandbox <<'END'
#!/bin/sh
# The disks of QEMU and VirtualBox, and the root file system
if [ "${1:-}" = prereqs ]; then exit 0; fi
. /usr/share/initramfs-tools/hook-functions
manual_add_modules @MODULES@
END
"""

# GRUB looks for the links of the newest kernel in the root's own folder, as on Debian
_UBUNTU_BEFORE = """\
put 0644 /etc/kernel-img.conf <<'END'
do_symlinks = yes
image_dest = /
link_in_boot = no
END
"""

_AFTER_SETTLING = """\
set -eu
root=$1
put() { mkdir -p "$(dirname "$root$2")"; cat > "$root$2"; chmod "$1" "$root$2"; }

put 0644 /etc/fstab <<'END'
LABEL=@LABEL@ / ext4 errors=remount-ro 0 0
END
put 0644 /etc/network/interfaces <<'END'
auto lo
iface lo inet loopback

# Not `auto`: the boot would wait until udev has looked at every device
allow-hotplug eth0
iface eth0 inet dhcp
END
put 0644 /etc/modprobe.d/sandbox.conf <<'END'
# Not to be found, or not to be used, in a virtual machine; looking for them takes time at boot
@BLACKLIST@
END
for unit in @MASKED@; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
put 0644 /etc/systemd/system/systemd-machine-id-commit.service.d/slow.conf <<'END'
[Service]
# Half a minute is not enough on a busy host that emulates the processor
TimeoutStartSec=10min
END
put 0755 /usr/local/sbin/sandbox-grow <<'END'
#!/bin/sh
# Lets the root partition and its file system fill the disk, which the provider may have made larger
set -eu
part=$(findmnt --noheadings --output SOURCE /)
name=${part##*/}
disk=$(basename "$(readlink -f "/sys/class/block/$name/..")")
number=$(cat "/sys/class/block/$name/partition")
end=$(($(cat "/sys/class/block/$name/start") + $(cat "/sys/class/block/$name/size")))
# What an MBR cannot say is out of reach: 2 TiB
limit=4294967295
total=$(cat "/sys/class/block/$disk/size")
if [ "$total" -gt "$limit" ]; then total=$limit; fi
if [ $((total - end)) -gt 4096 ]; then
  echo ", +" | sfdisk --quiet --no-reread --force -N "$number" "/dev/$disk"
  partx --update --nr "$number" "/dev/$disk"
fi
# Also after having been cut off between the two; it does nothing when there is nothing to do
resize2fs "$part"
END
put 0644 /etc/systemd/system/sandbox-grow.service <<'END'
[Unit]
Description=Let the root file system fill its disk
DefaultDependencies=no
After=systemd-remount-fs.service
# Whoever comes in finds the disk that was asked for
Before=ssh.service
ConditionPathIsReadWrite=/

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/sandbox-grow

[Install]
WantedBy=multi-user.target
END
ln -sf ../sandbox-grow.service \
"$root/etc/systemd/system/multi-user.target.wants/sandbox-grow.service"
install -d -m 0700 "$root/home/@USER@/.ssh"
put 0600 /home/@USER@/.ssh/authorized_keys <<'END'
@KEY@
END
chroot "$root" chown -R @USER@:@USER@ /home/@USER@/.ssh
test -e "$root/vmlinuz" && test -e "$root/initrd.img"
"""

# Written here, not left to the builder's mke2fs.conf: a newer mke2fs would choose features that
# GRUB, the kernel and e2fsck of an older Debian do not know
MKE2FS_CONF = """\
[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
	blocksize = 4096
	inode_size = 256
	inode_ratio = 32768
[fs_types]
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
	}
"""

# Read by GRUB itself, before any file of /boot: no menu, no waiting. Debian's two links always
# point to the newest kernel
GRUB_CONFIG = f"""\
linux /vmlinuz {KERNEL_ARGUMENTS}
initrd /initrd.img
boot
"""


def vm_form(*, login_user: str, authorized_key: str, distribution: str = "debian") -> Form:
    """Return the form that `sandbox.images.recipe` needs to make a virtual machine's root.

    `login_user` is the account for the first login, with `authorized_key`.
    """
    is_ubuntu = distribution == "ubuntu"
    excludes = "\n".join(f"path-exclude=*/modules/*/kernel/{path}/*" for path in _LEFT_OUT_DRIVERS)
    blacklist = "\n".join(f"blacklist {module}" for module in _NOT_LOADED)
    after = _AFTER_SETTLING.replace("@LABEL@", ROOT_LABEL).replace("@USER@", login_user)
    after = after.replace("@BLACKLIST@", blacklist).replace("@MASKED@", " ".join(_MASKED_UNITS))
    return Form(
        login_user=login_user,
        packages=_UBUNTU_PACKAGES if is_ubuntu else PACKAGES,
        before_packages=_BEFORE_PACKAGES.replace("@EXCLUDES@", excludes).replace(
            "@MODULES@", _INITRAMFS_MODULES
        )
        + (_UBUNTU_BEFORE if is_ubuntu else ""),
        after_settling=after.replace("@KEY@", authorized_key),
    )
