/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library functions the freestanding parts may call. The string
 * instructions are what every supported CPU does fastest without vector
 * registers. Weak: GNU-EFI brings some of its own.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

__attribute__((weak)) void *memcpy(void *target, const void *source, size_t bytes)
{
	void *result = target;
	size_t words = bytes / 8, rest = bytes % 8;

	/* Eight bytes a step: emulators and older processors move no more at once. */
	__asm__ volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words)::"memory");
	__asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(rest)::"memory");
	return result;
}

__attribute__((weak)) void *memset(void *target, int value, size_t bytes)
{
	void *result = target;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;
	size_t words = bytes / 8, rest = bytes % 8;

	__asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(pattern) : "memory");
	return result;
}

void *memmove(void *target, const void *source, size_t bytes)
{
	uint8_t *to = target;
	const uint8_t *from = source;

	if (to <= from || to >= from + bytes)
		return memcpy(target, source, bytes);
	while (bytes--)
		to[bytes] = from[bytes];
	return target;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
	const uint8_t *a = left, *b = right;

	for (; bytes; bytes--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strcmp(const char *left, const char *right)
{
	return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t bytes)
{
	for (; bytes; bytes--, left++, right++)
		if (*left != *right || !*left)
			return (uint8_t)*left - (uint8_t)*right;
	return 0;
}
