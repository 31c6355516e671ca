/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls: what the hypervisor tells the system above it. All of them only
 * read, so any privilege level may call. VMMCALL (AMD APM volume 3) with
 *
 *     rax HYPERCALL_MAGIC   rbx function   rcx, rdx arguments
 *
 * answers rax 0 and data in rbx, rcx, rdx and rsi, or a negative error in rax.
 * Every other value of rax gives #UD, as on a processor without a hypervisor.
 */
#ifndef HV_CORE_HYPERCALL_H
#define HV_CORE_HYPERCALL_H

#define HYPERCALL_MAGIC 0x554e4453ull /* "UNDS" */

enum hypercall_error {
	HYPERCALL_EUNKNOWN = -1, /* no such function */
	HYPERCALL_EEND = -2,     /* no such volume, CPU or counter */
};

enum hypercall_function {
	/*
	 * rbx version: major << 32 | minor << 16 | patch
	 * rcx backend: 8 ASCII bytes, "svm" or "vmx", NUL padded
	 * rdx CPUs
	 * rsi volumes in bits 31:0, reserved memory in MiB in bits 63:32
	 */
	HYPERCALL_INFO = 0,
	/*
	 * rcx index of the volume, rdx word.
	 * Word 0: rbx first LBA, rcx last LBA, rdx cipher sector in bytes | port << 32,
	 *         rsi PCI address (bus << 8 | device << 3 | function) | controller << 32
	 *         (enum boot_controller).
	 * Words 1 and 2: rbx, rcx, rdx are 24 bytes each of the header's UUID text, NUL padded.
	 */
	HYPERCALL_VOLUME = 1,
	/*
	 * rcx CPU, rdx index of the counter; HYPERCALL_EEND past the last.
	 * rbx count; rcx, rdx, rsi its name: 24 ASCII bytes, NUL padded. The index
	 * means the same counter on every CPU.
	 */
	HYPERCALL_COUNTER = 2,
	/*
	 * rcx sequence number of the first byte wanted; bytes count from 0 at start.
	 * rbx sequence number of the first byte given: later than asked when the log
	 * has lost it; rcx bytes given, 0 to 16, 0 at the end; rdx, rsi the bytes.
	 */
	HYPERCALL_LOG = 3,
};

#define HYPERCALL_NAME_BYTES      24
#define HYPERCALL_UUID_WORD_BYTES 24
#define HYPERCALL_LOG_BYTES       16

#endif
