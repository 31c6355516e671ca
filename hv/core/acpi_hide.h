/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_CORE_ACPI_HIDE_H
#define HV_CORE_ACPI_HIDE_H

#include <stdint.h>

/*
 * Takes out of the firmware's tables what the guest must not use: DMAR and IVRS
 * (hv/core/iommu.h), and the sleep states S1 to S3, from which a system would
 * resume without us. Init only, as the last step: it is not undone.
 */
void acpi_hide(uint64_t rsdp);

#endif
