#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tree.sh ROOT OUT ROOT_MIB: mmdebstrap's last hook. Turns the tree into a machine and leaves in OUT what image.py
# puts on disks: root.ext4, vmlinuz, initrd.img and modules.tar (the drivers of the quick machine).
# Runs as root of the tree's user namespace, so file owners are true whoever builds.
set -eu
root=$1 out=$2 mib=$3

echo root:root | chpasswd -R "$root"
echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost debian\n' >"$root/etc/hosts"
printf '%s\n' 'PARTLABEL=root / ext4 defaults,noatime 0 1' 'PARTLABEL=ESP /efi vfat defaults,nofail 0 0' >"$root/etc/fstab"
mkdir -p "$root/efi"
ln -sf /efi/underseal/underseal "$root/usr/local/bin/underseal"
# Work that starts by a timer would blur what is measured.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
	fstrim.timer systemd-tmpfiles-clean.timer; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt

kernel=$(ls "$root/lib/modules")
cp "$root/boot/vmlinuz-$kernel" "$out/vmlinuz"
cp "$root/boot/initrd.img-$kernel" "$out/initrd.img"
for module in ahci ata_piix sd_mod sr_mod nvme virtio_pci virtio_blk ext4 crc32c_generic msr efivarfs; do
	modprobe -C /dev/null -d "$root" -S "$kernel" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$out/modules.list"
tar -C "$out" -cf "$out/modules.tar" -h --transform "s|.*/||" --absolute-names -T "$out/modules.list"
sed -i 's|.*/||' "$out/modules.list"

# A copy of the tree alone: mmdebstrap has proc and sys mounted in it, which mke2fs would descend into.
cp -ax "$root" "$out/tree"
truncate -s "${mib}M" "$out/root.ext4"
mke2fs -q -t ext4 -L root -E root_owner=0:0 -d "$out/tree" "$out/root.ext4"
rm -rf "$out/tree"
chmod a+r "$out"/*
