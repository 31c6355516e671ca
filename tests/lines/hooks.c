/* SPDX-License-Identifier: Apache-2.0 */
/* What instrumented code calls, by the names of the thread sanitizer's library, and what the linker wraps. */
#include "storage/crypt/libcrypto.h"
#include "tests/lines/recorder.h"

#define HERE __builtin_return_address(0)

#define PLAIN(name, bytes, write)                                  \
	void __tsan_##name(void *address);                         \
	void __tsan_##name(void *address)                          \
	{                                                          \
		recorder_note(address, bytes, write, HERE);        \
	}
#define BOTH(bytes)                           \
	PLAIN(read##bytes, bytes, false)      \
	PLAIN(write##bytes, bytes, true)      \
	PLAIN(unaligned_read##bytes, bytes, false) \
	PLAIN(unaligned_write##bytes, bytes, true)

PLAIN(read1, 1, false)
PLAIN(write1, 1, true)
BOTH(2)
BOTH(4)
BOTH(8)
BOTH(16)

#define RANGE(name, write)                                          \
	void __tsan_##name(void *address, long bytes); \
	void __tsan_##name(void *address, long bytes) \
	{                                                           \
		recorder_note(address, (size_t)bytes, write, HERE); \
	}
RANGE(read_range, false)
RANGE(write_range, true)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* An atomic read-modify-write takes the line like any write. */
#define CHANGE(bits, type, name, builtin)                                                      \
	type __tsan_atomic##bits##_##name(volatile void *address, type value, int order);      \
	type __tsan_atomic##bits##_##name(volatile void *address, type value, int order)       \
	{                                                                                      \
		(void)order;                                                                   \
		recorder_note((const void *)address, sizeof(type), true, HERE);                \
		return builtin((volatile type *)address, value, __ATOMIC_SEQ_CST);                              \
	}
#define ATOMIC(bits, type)                                                                     \
	type __tsan_atomic##bits##_load(const volatile void *address, int order);              \
	type __tsan_atomic##bits##_load(const volatile void *address, int order)               \
	{                                                                                      \
		(void)order;                                                                   \
		recorder_note((const void *)address, sizeof(type), false, HERE);               \
		return __atomic_load_n((const volatile type *)address, __ATOMIC_SEQ_CST);                             \
	}                                                                                      \
	void __tsan_atomic##bits##_store(volatile void *address, type value, int order);       \
	void __tsan_atomic##bits##_store(volatile void *address, type value, int order)        \
	{                                                                                      \
		(void)order;                                                                   \
		recorder_note((const void *)address, sizeof(type), true, HERE);                \
		__atomic_store_n((volatile type *)address, value, __ATOMIC_SEQ_CST);                            \
	}                                                                                      \
	CHANGE(bits, type, exchange, __atomic_exchange_n)                                      \
	CHANGE(bits, type, fetch_add, __atomic_fetch_add)                                      \
	CHANGE(bits, type, fetch_sub, __atomic_fetch_sub)                                      \
	CHANGE(bits, type, fetch_or, __atomic_fetch_or)                                        \
	CHANGE(bits, type, fetch_and, __atomic_fetch_and)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void *__real_memcpy(void *target, const void *source, size_t bytes);
void *__wrap_memcpy(void *target, const void *source, size_t bytes);
void *__wrap_memcpy(void *target, const void *source, size_t bytes)
{
	recorder_note(target, bytes, true, HERE);
	recorder_note(source, bytes, false, HERE);
	return __real_memcpy(target, source, bytes);
}

void *__real_memset(void *target, int value, size_t bytes);
void *__wrap_memset(void *target, int value, size_t bytes);
void *__wrap_memset(void *target, int value, size_t bytes)
{
	recorder_note(target, bytes, true, HERE);
	return __real_memset(target, value, bytes);
}

/* libcrypto's assembly. */
#define CIPHER(name)                                                                                              \
	void __real_##name(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data, \
		const struct xts_schedule *tweak_key, const uint8_t tweak[16]);                                   \
	void __wrap_##name(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data, \
		const struct xts_schedule *tweak_key, const uint8_t tweak[16]);                                   \
	void __wrap_##name(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data, \
		const struct xts_schedule *tweak_key, const uint8_t tweak[16])                                    \
	{                                                                                                         \
		recorder_note(target, bytes, true, HERE);                                                         \
		recorder_note(source, bytes, false, HERE);                                                        \
		__real_##name(source, target, bytes, data, tweak_key, tweak);                                     \
	}
CIPHER(aesni_xts_encrypt)
CIPHER(aesni_xts_decrypt)
