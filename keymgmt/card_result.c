/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/card_result.h"

const char *card_result_text(enum card_result result)
{
	switch (result) {
	case CARD_OK:
		return "Done.";
	case CARD_NO_ANSWER:
		return "The smartcard reader does not answer.";
	case CARD_BAD_ANSWER:
		return "The smartcard or its reader gave an answer that makes no sense.";
	case CARD_READER_FAILED:
		return "The smartcard reader reports an error.";
	case CARD_ABSENT:
		return "There is no smartcard in the reader.";
	case CARD_REMOVED:
		return "The smartcard has been taken out of the reader.";
	case CARD_MUTE:
		return "The smartcard does not answer. It may be inserted the wrong way round.";
	case CARD_UNSUPPORTED:
		return "The smartcard speaks no protocol that is supported with this reader.";
	case CARD_REFUSED:
		return "The smartcard refused a command.";
	case CARD_NOT_PIV:
		return "The smartcard is no PIV card.";
	case CARD_WRONG_PIN:
		return "Wrong PIN.";
	case CARD_BAD_PIN:
		return "A smartcard's PIN has 6 to 8 characters; nothing was sent to the card.";
	case CARD_BLOCKED:
		return "The smartcard's PIN is blocked because of wrong ones.";
	case CARD_WRONG_KEY:
		return "The token was not made for this smartcard: none of its keys fits.";
	}
	return "Unknown error.";
}
