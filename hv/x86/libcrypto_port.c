/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/libcrypto_port.h"
#include "storage/crypt/wipe.h"
#include <stdint.h>

/* Symbols that libcrypto's objects look up. */
extern uint32_t OPENSSL_ia32cap_P[4];
void OPENSSL_cleanse(void *memory, size_t bytes);

/* CPUID 1 edx, 1 ecx, 7 ebx, 7 ecx, as libcrypto's assembly expects them. */
uint32_t OPENSSL_ia32cap_P[4];

#define CAP0_INTEL (1u << 30) /* libcrypto's own: the vendor is Intel */
#define CAP0_FXSR  (1u << 24)
#define CAP0_SSE2  (1u << 26)

#define CAP1_SSSE3 (1u << 9)
#define CAP1_SSE41 (1u << 19)
#define CAP1_AES   (1u << 25)

#define CAP2_SHA (1u << 29)

static void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	__asm__ volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx) : "a"(leaf), "c"(0));
}

/*
 * Only 128-bit code is let through: the AVX and AVX2 paths of the hashes write
 * below the stack pointer, where an interrupt may land, and would need XSAVE.
 */
void libcrypto_port_init(void)
{
	uint32_t highest, eax, ebx, ecx, edx;

	cpuid(0, &highest, &ebx, &ecx, &edx);
	cpuid(1, &eax, &ebx, &ecx, &edx);
	OPENSSL_ia32cap_P[0] = edx & (CAP0_FXSR | CAP0_SSE2);
	OPENSSL_ia32cap_P[1] = ecx & (CAP1_SSSE3 | CAP1_SSE41 | CAP1_AES);
	OPENSSL_ia32cap_P[2] = 0;
	OPENSSL_ia32cap_P[3] = 0;
	if (highest < 7)
		return;
	cpuid(7, &eax, &ebx, &ecx, &edx);
	OPENSSL_ia32cap_P[2] = ebx & CAP2_SHA;
}

void OPENSSL_cleanse(void *memory, size_t bytes)
{
	secret_wipe(memory, bytes);
}
