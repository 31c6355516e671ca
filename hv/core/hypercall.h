/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls a guest makes, from any privilege level, with the instruction of its
 * processor's vendor: VMMCALL of AMD's, VMCALL of all others. They only read. In: rax = HYPERCALL_MAGIC, rbx = function, rcx and rdx arguments. Out:
 * rax = 0 or a negative error, data in rbx, rcx, rdx, rsi. On a machine without
 * us the instruction raises #UD. No guest memory is touched.
 */
#ifndef HV_CORE_HYPERCALL_H
#define HV_CORE_HYPERCALL_H

#include <stdint.h>

#define HYPERCALL_MAGIC 0x554e4453u /* "UNDS" */

enum hypercall_function {
	/* rbx = version (major << 32 | minor << 16 | patch), rcx = backend as 8 ASCII bytes,
	 * rdx = CPUs | enum hypercall_policy << 32, rsi = volumes | reserved MiB << 32 */
	HYPERCALL_INFO = 0,
	/* rcx = volume, rdx = word. Word 0: rbx = first LBA, rcx = last LBA, rdx = cipher sector bytes | AHCI port or
	 * NVMe namespace << 32, rsi = (bus << 8 | device << 3 | function) | enum boot_controller << 32. Words 1, 2: rbx, rcx, rdx = 24 bytes of
	 * the header's UUID text each, NUL padded. */
	HYPERCALL_VOLUME = 1,
	/* rcx = CPU, rdx = counter. rbx = count; rcx, rdx, rsi = name as 24 ASCII bytes, NUL padded. All are
	 * exits but those whose names begin with "run-ahead": accesses that needed no exit of their own, or
	 * might not have. */
	HYPERCALL_COUNTER = 2,
	/* rcx = number of the first byte wanted, rdx = 0: this start's log, 1: that of the start before. rbx = number
	 * of the first byte given (later when the ring has moved on), rcx = bytes 0..16, rdx, rsi = text. */
	HYPERCALL_LOG = 3,
	/* How the start before has ended: rbx = enum log_end (hv/core/log_area.h), rcx = the panic's number. */
	HYPERCALL_PREVIOUS_END = 4,
	/* The UEFI program's own: ExitBootServices has been called. */
	HYPERCALL_BOOT_SERVICES_DONE = 0x100,
};

/* Registers at the call, and after it. */
struct hypercall_gpr {
	uint64_t rax, rbx, rcx, rdx, rsi;
};

/* Makes the call; without us it raises #UD. */
static inline void hypercall_instruction(struct hypercall_gpr *gpr)
{
	uint32_t eax = 0, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	/* "AuthenticAMD", "HygonGenuine": CPUID shows no guest which extension it runs on. */
	if (ebx == 0x68747541 || ebx == 0x6f677948)
		__asm__ volatile("vmmcall"
				 : "+a"(gpr->rax), "+b"(gpr->rbx), "+c"(gpr->rcx), "+d"(gpr->rdx), "+S"(gpr->rsi)
				 :
				 : "memory");
	else
		__asm__ volatile("vmcall"
				 : "+a"(gpr->rax), "+b"(gpr->rbx), "+c"(gpr->rcx), "+d"(gpr->rdx), "+S"(gpr->rsi)
				 :
				 : "memory");
}

/* What of the policy weakens a promise. Bits. */
enum hypercall_policy {
	HYPERCALL_ICR_FAST = 1, /* a CPU that the system starts again may run outside the hypervisor */
};

enum hypercall_error {
	HYPERCALL_OK = 0,
	HYPERCALL_UNKNOWN = -1,  /* no such function */
	HYPERCALL_PAST_END = -2, /* no such volume, CPU, counter, word or log */
};

#endif
