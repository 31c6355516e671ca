/* SPDX-License-Identifier: Apache-2.0 */
/* The storage port's locks and vector registers, as the hypervisor has them. */
#include "hv/x86/registers.h"
#include "storage/port.h"

/*
 * A CPU that spins here is outside the guest, so a shoot-down does not wait for
 * it: it flushes before it enters again.
 */
void port_lock(struct port_lock *lock)
{
	while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED))
			cpu_pause();
}

void port_unlock(struct port_lock *lock)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

/*
 * The cipher uses XMM registers in their legacy encodings only: the upper halves
 * of the guest's YMM and ZMM registers are not touched and need no saving.
 */
void port_vectors_save(struct port_vectors *save)
{
	__asm__ volatile("movups %%xmm0, 0x00(%0)\n movups %%xmm1, 0x10(%0)\n movups %%xmm2, 0x20(%0)\n"
			 "movups %%xmm3, 0x30(%0)\n movups %%xmm4, 0x40(%0)\n movups %%xmm5, 0x50(%0)\n"
			 "movups %%xmm6, 0x60(%0)\n movups %%xmm7, 0x70(%0)\n movups %%xmm8, 0x80(%0)\n"
			 "movups %%xmm9, 0x90(%0)\n movups %%xmm10, 0xa0(%0)\n movups %%xmm11, 0xb0(%0)\n"
			 "movups %%xmm12, 0xc0(%0)\n movups %%xmm13, 0xd0(%0)\n movups %%xmm14, 0xe0(%0)\n"
			 "movups %%xmm15, 0xf0(%0)\n" ::"r"(save->xmm)
			 : "memory");
}

void port_vectors_restore(const struct port_vectors *save)
{
	__asm__ volatile("movups 0x00(%0), %%xmm0\n movups 0x10(%0), %%xmm1\n movups 0x20(%0), %%xmm2\n"
			 "movups 0x30(%0), %%xmm3\n movups 0x40(%0), %%xmm4\n movups 0x50(%0), %%xmm5\n"
			 "movups 0x60(%0), %%xmm6\n movups 0x70(%0), %%xmm7\n movups 0x80(%0), %%xmm8\n"
			 "movups 0x90(%0), %%xmm9\n movups 0xa0(%0), %%xmm10\n movups 0xb0(%0), %%xmm11\n"
			 "movups 0xc0(%0), %%xmm12\n movups 0xd0(%0), %%xmm13\n movups 0xe0(%0), %%xmm14\n"
			 "movups 0xf0(%0), %%xmm15\n" ::"r"(save->xmm)
			 : "memory");
}
