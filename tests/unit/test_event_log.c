/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event logs: what PCRs they lead to, by OpenSSL's own SHA-256 beside ours, where ours
 * begins, and what is refused. Logs of real firmware are replayed by machines (tests/machine/cases/tpm_enroll.py).
 */
#include "keymgmt/event_log.h"
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A log that is written as firmware does, and the PCRs that a TPM would have. */
static struct {
	uint8_t data[8192];
	size_t bytes;
	uint8_t pcr[TPM2_PCRS][32];
} made;

static struct event_log log_read;

static void put(const void *data, size_t bytes)
{
	assert_true(made.bytes + bytes <= sizeof(made.data));
	memcpy(made.data + made.bytes, data, bytes);
	made.bytes += bytes;
}

static void put_little(uint32_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		put(&(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

/* SHA-1 and SHA-256, as TCG_EfiSpecIdEvent says it. */
static void begin(void)
{
	memset(&made, 0, sizeof(made));
	put_little(0, 4);
	put_little(3, 4);
	put((uint8_t[20]){0}, 20);
	put_little(16 + 8 + 4 + 2 * 4 + 1, 4);
	put("Spec ID Event03", 16);
	put("\0\0\0\0\0\2\0\2", 8);
	put_little(2, 4);
	put_little(TPM2_SHA1, 2);
	put_little(20, 2);
	put_little(TPM2_SHA256, 2);
	put_little(32, 2);
	put("", 1);
}

static void put_event(uint32_t pcr, uint32_t type, const char *measured, const void *data, size_t bytes)
{
	uint8_t both[64];

	put_little(pcr, 4);
	put_little(type, 4);
	put_little(2, 4);
	put_little(TPM2_SHA1, 2);
	put("twenty bytes of that", 20);
	put_little(TPM2_SHA256, 2);
	SHA256((const uint8_t *)measured, strlen(measured), both + 32);
	put(both + 32, 32);
	put_little((uint32_t)bytes, 4);
	put(data, bytes);
	if (type == 3)
		return;
	memcpy(both, made.pcr[pcr], 32);
	SHA256(both, 64, made.pcr[pcr]);
}

static void put_text(uint32_t pcr, uint32_t type, const char *measured, const char *text)
{
	put_event(pcr, type, measured, text, strlen(text) + 1);
}

static const char *read_log(void)
{
	uint8_t *exact = malloc(made.bytes ? made.bytes : 1);
	const char *why;

	/* Of its own size, so that a read behind it is seen. */
	memcpy(exact, made.data, made.bytes);
	why = event_log_replay(exact, made.bytes, &log_read);
	free(exact);
	return why;
}

static void begin_with_firmware(void)
{
	begin();
	put_text(0, 8, "version", "the firmware's version");
	put_text(7, 0x80000001, "SecureBoot", "a variable");
	put_text(7, 4, "", "separator");
}

static void plain_log(void **state)
{
	(void)state;
	begin_with_firmware();
	assert_null(read_log());
	assert_false(log_read.ours);
	assert_false(log_read.has_policy);
	assert_int_equal(log_read.end.mask, 0xffff);
	assert_memory_equal(log_read.end.value, made.pcr, sizeof(made.pcr));
	assert_memory_equal(&log_read.start, &log_read.end, sizeof(log_read.start));
}

/* What is measured from our first event on belongs to what runs after the unsealing. */
static void ends_at_ours(void **state)
{
	uint8_t before[TPM2_PCRS][32], policy[32];

	(void)state;
	begin_with_firmware();
	memcpy(before, made.pcr, sizeof(before));
	put_text(12, EVENT_LOG_IPL, "tries=5\n", "underseal: policy");
	put_text(12, EVENT_LOG_IPL, "underseal: closed", "underseal: closed");
	put_text(7, 0x800000e0, "a certificate", "of the next program");
	assert_null(read_log());
	assert_true(log_read.ours && log_read.has_policy);
	assert_memory_equal(log_read.start.value, before, sizeof(before));
	assert_memory_equal(log_read.end.value, made.pcr, sizeof(made.pcr));
	assert_memory_not_equal(log_read.start.value[7], log_read.end.value[7], 32);
	SHA256((const uint8_t *)"tries=5\n", 8, policy);
	assert_memory_equal(log_read.policy, policy, 32);
}

/* Without TPM tokens the boot program measures no policy. */
static void closed_alone(void **state)
{
	(void)state;
	begin_with_firmware();
	put_text(12, EVENT_LOG_IPL, "underseal: closed", "underseal: closed");
	put_text(12, EVENT_LOG_IPL, "somebody else's", "underseal: policy");
	assert_null(read_log());
	assert_true(log_read.ours);
	assert_false(log_read.has_policy);
	assert_memory_equal(log_read.start.value[12], (uint8_t[32]){0}, 32);
}

static void others_events(void **state)
{
	static const char text[] = "underseal: policy";

	(void)state;
	begin_with_firmware();
	put_text(11, EVENT_LOG_IPL, "a", text);
	put_text(12, 5, "a", text);
	put_event(12, EVENT_LOG_IPL, "a", text, strlen(text));
	put_text(12, EVENT_LOG_IPL, "a", "underseal: polity");
	put_text(12, 3, "a", text);
	assert_null(read_log());
	assert_false(log_read.ours);
	assert_memory_equal(log_read.end.value, made.pcr, sizeof(made.pcr));
}

static void startup_locality(void **state)
{
	(void)state;
	begin();
	put_event(1, 3, "", "StartupLocality\0\4", 17);
	put_event(0, 3, "", "StartupLocality\0", 16);
	assert_null(read_log());
	assert_memory_equal(log_read.end.value, made.pcr, sizeof(made.pcr));
	put_event(0, 3, "", "StartupLocality\0\3", 17);
	made.pcr[0][31] = 3;
	put_text(0, 8, "version", "the firmware's version");
	assert_null(read_log());
	assert_memory_equal(log_read.end.value, made.pcr, sizeof(made.pcr));
}

static void cut_anywhere(void **state)
{
	size_t whole, first;

	(void)state;
	begin();
	first = made.bytes;
	put_text(7, 4, "", "separator");
	whole = made.bytes;
	for (made.bytes = 0; made.bytes < whole; made.bytes++)
		if (made.bytes != first)
			assert_non_null(read_log());
	assert_null(read_log());
}

static void refused(size_t at, uint8_t byte, const char *why)
{
	begin_with_firmware();
	made.data[at] = byte;
	assert_string_equal(read_log(), why);
}

static void slips(void **state)
{
	const size_t banks = 32 + 16 + 8, event = banks + 4 + 8 + 1;

	(void)state;
	refused(32, 's', "it is not a log of a TPM 2.0");
	refused(banks, 9, "it has too many banks");
	refused(banks, 1, "the firmware does not measure into the bank of SHA-256");
	refused(banks + 8 + 2, 20, "its digests have a wrong size");
	refused(event, 24, "an event has no digest, or no PCR");
	refused(event + 8, 9, "an event has too many digests");
	refused(event + 12, 0xb7, "an event has a digest that is not known");
	/* One that has a digest of SHA-1 alone. */
	begin();
	put("\7\0\0\0\4\0\0\0\1\0\0\0\4\0twenty bytes of that\0\0\0\0", 38);
	assert_string_equal(read_log(), "an event has no digest, or no PCR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_log),
		cmocka_unit_test(ends_at_ours),
		cmocka_unit_test(closed_alone),
		cmocka_unit_test(others_events),
		cmocka_unit_test(startup_locality),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(slips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
