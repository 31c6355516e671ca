/* SPDX-License-Identifier: Apache-2.0 */
/* Power and protocol. */
#include "keymgmt/card_protocol.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* abProtocolDataStructure (CCID 1.1, 6.1.7). */
static enum card_result set_parameters(struct card *card, const struct card_atr *atr)
{
	uint8_t convention = atr->inverse ? 2 : 0;
	const uint8_t t0[] = {atr->speed, convention, atr->guard, atr->waiting_t0, 0};
	const uint8_t t1[] = {atr->speed, 0x10 | convention, atr->guard, atr->waiting_t1, 0, atr->block, 0};

	return card->protocol ? ccid_set_parameters(card->reader, 1, t1, sizeof(t1))
			      : ccid_set_parameters(card->reader, 0, t0, sizeof(t0));
}

/* Without a negotiation it is the protocol that the card names first. */
static enum card_result agree(struct card *card, const struct card_atr *atr)
{
	const struct ccid_description *is = &card->reader->is;
	bool by_itself = is->features & (CCID_SETS_PARAMETERS | CCID_NEGOTIATES);
	enum card_result result = CARD_OK;

	card->protocol = atr->first;
	if (by_itself && atr->protocols & (atr->protocols - 1) && !atr->specific)
		result = ccid_get_protocol(card->reader, &card->protocol);
	if (result)
		return result;
	if (card->protocol > 1 || !(atr->protocols & is->protocols & 1u << card->protocol) ||
		(card->protocol == 1 && atr->crc))
		return CARD_UNSUPPORTED;
	if (!by_itself)
		result = set_parameters(card, atr);
	if (!result && card->protocol == 1 && !(is->features & CCID_SETS_IFSD))
		result = card_set_block_t1(card);
	return result;
}

static enum card_result start(struct card *card, const uint8_t *data, size_t bytes)
{
	struct card_atr atr;

	if (card->reader->is.level >= CCID_SHORT_APDU)
		return CARD_OK;
	if (!card_parse_atr(data, bytes, &atr))
		return CARD_BAD_ANSWER;
	card->card_block = atr.block;
	return agree(card, &atr);
}

enum card_result card_open(struct card *card, struct ccid *reader)
{
	uint8_t atr[CCID_MAX_ATR];
	size_t bytes;
	enum card_result result;

	memset(card, 0, sizeof(*card));
	card->reader = reader;
	result = ccid_power_on(reader, atr, &bytes);
	if (result)
		return result;
	result = start(card, atr, bytes);
	if (result)
		card_close(card);
	return result;
}

void card_close(struct card *card)
{
	ccid_power_off(card->reader);
	secret_wipe(card, sizeof(*card));
}
