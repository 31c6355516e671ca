/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that a shell cannot say, for the tests that misbehave inside a guest:
 *   probe in|out BYTES PORT [VALUE]    one port access; BYTES is 1, 2 or 4
 *   probe ins BYTES PORT COUNT         a string access
 *   probe rdmsr|wrmsr NUMBER [VALUE]   on CPU 0; "#GP" when the processor refuses
 * Prints what was read.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

static uint64_t argument(char **words, int count, int index)
{
	return index < count ? strtoull(words[index], NULL, 0) : 0;
}

static uint32_t port_in(unsigned bytes, uint16_t port)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void port_out(unsigned bytes, uint16_t port, uint32_t value)
{
	if (bytes == 1)
		outb(value, port);
	else if (bytes == 2)
		outw(value, port);
	else
		outl(value, port);
}

static void port_ins(unsigned bytes, uint16_t port, unsigned count)
{
	static uint32_t data[1024];

	count = count > 1024 ? 1024 : count;
	if (bytes == 1)
		insb(port, data, count);
	else if (bytes == 2)
		insw(port, data, count);
	else
		insl(port, data, count);
	printf("%#" PRIx32 "\n", data[0]);
}

static int msr(int write_it, uint32_t number, uint64_t value)
{
	int file = open("/dev/cpu/0/msr", O_RDWR);
	ssize_t done;

	if (file < 0) {
		perror("/dev/cpu/0/msr");
		return 1;
	}
	done = write_it ? pwrite(file, &value, 8, number) : pread(file, &value, 8, number);
	if (done == 8)
		printf("%#" PRIx64 "\n", value);
	else
		puts("#GP");
	close(file);
	return 0;
}

int main(int count, char **words)
{
	uint64_t a = argument(words, count, 2), b = argument(words, count, 3), c = argument(words, count, 4);
	const char *what = count > 2 ? words[1] : "";

	if (!strcmp(what, "rdmsr") || !strcmp(what, "wrmsr"))
		return msr(what[0] == 'w', a, b);
	if (iopl(3)) {
		perror("iopl");
		return 1;
	}
	if (!strcmp(what, "in"))
		printf("%#" PRIx32 "\n", port_in(a, b));
	else if (!strcmp(what, "out"))
		port_out(a, b, c);
	else if (!strcmp(what, "ins"))
		port_ins(a, b, c);
	else
		return 2;
	return 0;
}
