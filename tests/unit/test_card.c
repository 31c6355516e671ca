/* SPDX-License-Identifier: Apache-2.0 */
/* An unlocking over every way that reader and card can speak, and with every fault at every step. */
#include "keymgmt/card_protocol.h"
#include "tests/unit/card_fixture.h"

static const struct way {
	enum ccid_level level;
	unsigned protocol;
} ways[] = {{CCID_CHARACTERS, 0}, {CCID_CHARACTERS, 1}, {CCID_TPDU, 0}, {CCID_TPDU, 1}, {CCID_SHORT_APDU, 1},
	{CCID_EXTENDED_APDU, 1}};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void assert_opens(void)
{
	assert_int_equal(unlock("123456"), CARD_OK);
	assert_true(secret_is_right());
	assert_int_equal(chip.verifies, 1);
	assert_int_equal(chip.decryptions, 1);
}

static void every_way(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WAYS; w++) {
		begin(ways[w].level, ways[w].protocol);
		assert_opens();
	}
}

/* What a card may do that makes it more than one answer. */
static void long_ways(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WAYS; w++)
		for (unsigned variant = 0; variant < 8; variant++) {
			begin(ways[w].level, ways[w].protocol);
			chip.step = variant == 0 ? 1 : variant == 1 ? 200 : 256;
			chip.exact = variant == 2 || variant == 3;
			chip.direct = chip.direct && variant != 3 && variant != 4;
			chip.extensions = variant == 5 ? 100 : 0;
			chip.asks_ifs = variant == 6;
			chip.nulls = variant == 5 ? 3 : 0;
			chip.byte_by_byte = variant == 6;
			reader.extensions = variant == 7 ? 50 : 0;
			reader.stale = variant == 7 ? 8 : 0;
			assert_opens();
		}
}

static const enum reader_fault noises[] = {
	READER_FAULT_TO_CARD, READER_FAULT_FROM_CARD, READER_FAULT_LOST, READER_FAULT_SILENCE};

/* T=1 with requests of the card's in between, or not; the blocks that it takes without a fault. */
static unsigned begin_t1(unsigned variant)
{
	unsigned transfers;

	for (unsigned i = 0; i < 2; i++) {
		transfers = i ? reader.transfers : 0;
		begin(CCID_TPDU, 1);
		chip.extensions = variant == 1 ? 2 : 0;
		chip.asks_ifs = variant == 2;
		chip.step = variant == 3 ? 100 : 256;
		if (!i)
			assert_opens();
	}
	return transfers;
}

/* A fault at each block, once or from there on; what then must hold. */
static void each_noise(bool stays, void (*holds)(unsigned at))
{
	for (unsigned f = 0; f < sizeof(noises) / sizeof(noises[0]); f++)
		for (unsigned variant = 0; variant < 4; variant++)
			for (unsigned at = 0; at < begin_t1(variant); at++) {
				reader.fault = noises[f];
				reader.fault_at = at;
				reader.fault_stays = stays;
				holds(at);
			}
}

static void opens(unsigned at)
{
	(void)at;
	assert_opens();
}

/* Whatever one block suffers, the card is shown the PIN once. */
static void lost_blocks(void **state)
{
	(void)state;
	each_noise(false, opens);
}

static void ends(unsigned at)
{
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	assert_true(reader.transfers <= at + 3);
	assert_true(chip.verifies <= 1);
}

/* When it does not end the exchange does, and the PIN has not been tried twice. */
static void lost_for_good(void **state)
{
	(void)state;
	each_noise(true, ends);
}

static enum card_result expected(enum reader_fault fault, const struct way *way)
{
	switch (fault) {
	case READER_FAULT_NO_ANSWER:
	case READER_FAULT_SEND:
		return CARD_NO_ANSWER;
	case READER_FAULT_FAILED:
		return CARD_READER_FAILED;
	case READER_FAULT_REMOVED:
	case READER_FAULT_EXCHANGED:
		return CARD_REMOVED;
	case READER_FAULT_EMPTY:
		/* A block that is too short is asked for again. */
		return way->protocol && way->level <= CCID_TPDU ? CARD_OK : CARD_BAD_ANSWER;
	case READER_FAULT_CHAIN:
		return way->level == CCID_EXTENDED_APDU ? CARD_BAD_ANSWER : CARD_OK;
	default:
		return CARD_BAD_ANSWER;
	}
}

static void reader_faults(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WAYS; w++)
		for (unsigned fault = READER_FAULT_NO_ANSWER; fault < READER_FAULTS; fault++)
			for (unsigned at = 0; at < 6; at++) {
				enum card_result result;

				begin(ways[w].level, ways[w].protocol);
				reader.fault = fault;
				reader.fault_at = at;
				result = unlock("123456");
				if (result != expected(fault, &ways[w]) || (!result && !secret_is_right()))
					fail_msg("way %u, fault %u at %u: %d", w, fault, at, result);
				assert_true(chip.verifies <= 1);
			}
}

/* Time without end, and answers to everything but what was asked. */
static void readers_that_never_come_to_it(void **state)
{
	(void)state;
	begin(CCID_SHORT_APDU, 1);
	reader.extensions = 101;
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	begin(CCID_SHORT_APDU, 1);
	reader.stale = 9;
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	begin(CCID_TPDU, 1);
	chip.extensions = 1000;
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	begin(CCID_CHARACTERS, 0);
	chip.nulls = 1001;
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
}

/* Answers that have no end, or too much in them. */
static void cards_without_measure(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WAYS; w++) {
		begin(ways[w].level, ways[w].protocol);
		chip.stalls = true;
		chip.direct = false;
		assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	}
	for (unsigned w = 2; w < WAYS; w++) {
		begin(ways[w].level, ways[w].protocol);
		chip.never_exact = true;
		assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
		begin(ways[w].level, ways[w].protocol);
		chip.generous = true;
		chip.direct = false;
		assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	}
	begin(CCID_TPDU, 1);
	chip.empty_blocks = true;
	assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	assert_int_equal(chip.verifies, 0);
}

static void waiting_time_is_passed_on(void **state)
{
	(void)state;
	begin(CCID_TPDU, 1);
	assert_int_equal(card_open(&card, &reader.ccid), CARD_OK);
	chip.extensions = 1;
	chip.sending = chip.last_has_more = false;
	assert_int_equal(piv_select(&card), CARD_OK);
	assert_int_equal(reader.last_wait, 8);
	card_close(&card);
}

/* ---- answer to reset, parameters, power ---- */

static void parameters(void **state)
{
	static const uint8_t t0[] = {0x11, 0, 0, 10, 0}, t1[] = {0x11, 0x10, 0, 0x43, 0, 32, 0};

	(void)state;
	begin(CCID_TPDU, 0);
	assert_opens();
	assert_int_equal(reader.parameter_bytes, sizeof(t0));
	assert_memory_equal(reader.parameter, t0, sizeof(t0));
	begin(CCID_TPDU, 1);
	assert_opens();
	assert_int_equal(reader.parameter_bytes, sizeof(t1));
	assert_memory_equal(reader.parameter, t1, sizeof(t1));
	begin(CCID_TPDU, 1);
	reader.ccid.is.features |= CCID_SETS_PARAMETERS;
	assert_opens();
	assert_int_equal(reader.parameters, 0);
	begin(CCID_TPDU, 1);
	reader.ccid.is.features |= CCID_SETS_IFSD;
	assert_opens();
	assert_int_equal(chip.reader_block, 32);
}

static void protocols(void **state)
{
	static const uint8_t both[] = {0x3b, 0x80, 0x80, 0x01, 0x01}, crc[] = {0x3b, 0x80, 0x81, 0x41, 0x01, 0x41},
			     t2[] = {0x3b, 0x80, 0x02, 0x82}, odd[] = {0x3b, 0x80, 0x81, 0x31, 0x20, 0x11};
	struct {
		const uint8_t *atr;
		size_t bytes;
		uint32_t features, protocols;
		enum card_result result;
	} cards[] = {{both, sizeof(both), 0, 3, CARD_OK}, {both, sizeof(both), CCID_NEGOTIATES, 3, CARD_OK},
		{both, sizeof(both), 0, 2, CARD_UNSUPPORTED}, {crc, sizeof(crc), 0, 3, CARD_UNSUPPORTED},
		{t2, sizeof(t2), 0, 3, CARD_UNSUPPORTED}, {odd, sizeof(odd), 0, 3, CARD_BAD_ANSWER}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
		/* One that negotiates has chosen T=1. */
		begin(CCID_TPDU, !!cards[i].features);
		chip.atr = cards[i].atr;
		chip.atr_bytes = cards[i].bytes;
		reader.ccid.is.features |= cards[i].features;
		reader.ccid.is.protocols = cards[i].protocols;
		assert_int_equal(unlock("123456"), cards[i].result);
		assert_false(chip.powered);
	}
}

static void answers_to_reset(void **state)
{
	/* Of a YubiKey 5: T=1, two groups, TCK. */
	static const uint8_t good[] = {0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0, 0x21, 0xc0,
		0x57, 0x59, 0x75, 0x62, 0x69, 0x4b, 0x65, 0x79, 0x40},
			     specific[] = {0x3f, 0xd0, 0x96, 0x07, 0x10, 0x00}, implied[] = {0x3b, 0x90, 0x96, 0x10, 0x10};
	struct card_atr atr;
	uint8_t changed[sizeof(good) + 1];

	(void)state;
	assert_true(card_parse_atr(good, sizeof(good), &atr));
	assert_true(atr.first == 1 && atr.protocols == 2 && atr.block == 0xfe && atr.waiting_t1 == 0x15 && !atr.crc);
	assert_true(atr.speed == 0x11 && !atr.specific && !atr.inverse);
	for (size_t bytes = 0; bytes < sizeof(good); bytes++)
		assert_false(card_parse_atr(good, bytes, &atr));
	for (size_t at = 0; at < sizeof(good); at++) {
		memcpy(changed, good, sizeof(good));
		changed[at] ^= 0x02;
		assert_false(card_parse_atr(changed, sizeof(good), &atr));
	}
	memcpy(changed, good, sizeof(good));
	changed[sizeof(good)] = 0; /* which the check byte does not show */
	assert_false(card_parse_atr(changed, sizeof(changed), &atr));
	assert_true(card_parse_atr(specific, sizeof(specific), &atr));
	assert_true(atr.specific && atr.inverse && atr.first == 0 && atr.speed == 0x96 && atr.guard == 7);
	assert_true(card_parse_atr(implied, sizeof(implied), &atr));
	assert_true(atr.specific && atr.speed == 0x11);
}

static void voltages(void **state)
{
	(void)state;
	for (uint8_t select = 1; select <= 3; select++)
		for (uint8_t supported = 1; supported < 8; supported++) {
			bool works = supported & 1u << (select - 1);

			begin(CCID_SHORT_APDU, 1);
			reader.ccid.is.features = 0;
			reader.ccid.is.voltages = supported;
			reader.works_at = select;
			assert_int_equal(unlock("123456"), works ? CARD_OK : CARD_MUTE);
		}
	begin(CCID_SHORT_APDU, 1);
	chip.inserted = false;
	assert_int_equal(unlock("123456"), CARD_ABSENT);
	assert_int_equal(reader.power_ons, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way),
		cmocka_unit_test(long_ways),
		cmocka_unit_test(lost_blocks),
		cmocka_unit_test(lost_for_good),
		cmocka_unit_test(reader_faults),
		cmocka_unit_test(readers_that_never_come_to_it),
		cmocka_unit_test(cards_without_measure),
		cmocka_unit_test(waiting_time_is_passed_on),
		cmocka_unit_test(parameters),
		cmocka_unit_test(protocols),
		cmocka_unit_test(answers_to_reset),
		cmocka_unit_test(voltages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
