/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DMA remapping units are hidden from the guest. A guest that remapped DMA would
 * make every address in a disk command one that we cannot follow: we would decrypt
 * the wrong memory, and the device would fault on our rings.
 */
#ifndef HV_CORE_IOMMU_H
#define HV_CORE_IOMMU_H

#include <stdint.h>

/*
 * Hooks the register pages of every unit that DMAR (VT-d 8.3) and IVRS (AMD IOMMU
 * 5.2.2) name, and hides the PCI functions of the latter. Init only. 0, -1 when
 * there is no room, or -2 when the firmware itself is remapping DMA or interrupts.
 */
int iommu_hide(uint64_t rsdp);

#endif
