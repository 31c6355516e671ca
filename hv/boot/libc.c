/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/libc.h"
#include <efi.h>
#include <efilib.h>

#define MSR_FS_BASE 0xc0000100u

/* What %fs:0x28 reads; any constant is as good a canary, it only has to stay the same. */
static UINT64 thread_block[16] = {[5] = 0x5ea1ed0ff1ce0000};
static UINT64 firmware_fs;

static UINT64 read_fs_base(void)
{
	UINT32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_FS_BASE));
	return (UINT64)high << 32 | low;
}

static void write_fs_base(UINT64 base)
{
	__asm__ volatile("wrmsr" : : "c"(MSR_FS_BASE), "a"((UINT32)base), "d"((UINT32)(base >> 32)));
}

void libc_enter(void)
{
	firmware_fs = read_fs_base();
	write_fs_base((UINT64)thread_block);
}

void libc_leave(void)
{
	write_fs_base(firmware_fs);
}

static void *take(void *context, size_t bytes)
{
	EFI_PHYSICAL_ADDRESS address;

	(void)context;
	if (EFI_ERROR(BS->AllocatePages(
		    AllocateAnyPages, EfiBootServicesData, EFI_SIZE_TO_PAGES(bytes), &address)))
		return NULL;
	return (void *)address;
}

static void give_back(void *context, void *memory, size_t bytes)
{
	(void)context;
	BS->FreePages((EFI_PHYSICAL_ADDRESS)memory, EFI_SIZE_TO_PAGES(bytes));
}

const struct argon2_memory libc_argon2_memory = {.take = take, .give_back = give_back};

/*
 * What libargon2.a's objects name but never reach here: we give it the memory,
 * ask for one thread, and use no encoded hashes.
 */
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void free(void *memory);
int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument);
int pthread_join(unsigned long thread, void **result);
void pthread_exit(void *result) __attribute__((noreturn));
int __sprintf_chk(char *out, int flag, size_t bytes, const char *format, ...);
void __stack_chk_fail(void) __attribute__((noreturn));

void *malloc(size_t bytes)
{
	(void)bytes;
	return NULL;
}

void *calloc(size_t count, size_t bytes)
{
	(void)count;
	(void)bytes;
	return NULL;
}

void free(void *memory)
{
	(void)memory;
}

int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument)
{
	(void)thread;
	(void)attributes;
	(void)start;
	(void)argument;
	return -1;
}

int pthread_join(unsigned long thread, void **result)
{
	(void)thread;
	(void)result;
	return -1;
}

static void __attribute__((noreturn)) stop(const CHAR16 *why)
{
	Print(L"\nUnderseal stopped: %s. Please restart the computer.\n", why);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void pthread_exit(void *result)
{
	(void)result;
	stop(L"a thread ended that was never started");
}

int __sprintf_chk(char *out, int flag, size_t bytes, const char *format, ...)
{
	(void)flag;
	(void)format;
	if (bytes)
		*out = 0;
	return -1;
}

void __stack_chk_fail(void)
{
	stop(L"its stack was overwritten");
}
