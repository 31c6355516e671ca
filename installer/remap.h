/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks and controllers that the hypervisor does not mediate: on them the guest
 * would go past it. Intel VMD and RAID ("RST") remapping hide disks behind such a
 * controller; NVMe over Fabrics and multipath have other ways to the disk.
 */
#ifndef INSTALLER_REMAP_H
#define INSTALLER_REMAP_H

/*
 * `sysfs` is where sysfs is mounted, `node` the disk below it, as
 * `dev/block/8:0`. Returns NULL, or why the disk cannot be protected, as the end
 * of a sentence that begins with the disk.
 */
const char *remap_reason(const char *sysfs, const char *node);

#endif
