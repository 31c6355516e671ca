/* SPDX-License-Identifier: Apache-2.0 */
/* What assembler and C have in common. */
#ifndef HV_VMX_ENTER_H
#define HV_VMX_ENTER_H

/* What vmx_enter returns. */
#define VMX_EXITED    0 /* the guest ran, or the entry failed with an exit */
#define VMX_REFUSED   1 /* VMLAUNCH or VMRESUME failed: VMCS_INSTRUCTION_ERROR */
#define VMX_NMI_NOTED 2 /* it was not tried */

/* The field that assembler writes, see vmcs.h. */
#define VMCS_HOST_RSP 0x6c14

#endif
