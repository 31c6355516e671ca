/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyboard layouts. Firmware reads every keyboard as if it were a US one; what it gives tells the place of
 * the key, and a layout tells what is printed there.
 */
#ifndef HV_BOOT_LAYOUT_H
#define HV_BOOT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum layout { LAYOUT_US, LAYOUT_UK, LAYOUT_DE, LAYOUT_FR, LAYOUT_JP, LAYOUT_COUNT };

/* "us", "uk", ...: as the policy file has it. */
const char *layout_word(enum layout layout);

/* As it is shown to the user. */
const char *layout_name(enum layout layout);

/*
 * The UCS-2 character on the key that gives `c` on a US keyboard; with `alt_gr` the one that the right Alt key gives, or 0
 * where there is none. What is on no key of a US keyboard comes back as it is. Dead keys give their character at once.
 */
uint16_t layout_character(enum layout layout, uint16_t c, bool alt_gr);

#endif
