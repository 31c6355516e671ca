/* SPDX-License-Identifier: Apache-2.0 */
/* What stands above the questions. Lines of at most 79 characters: a screen of 80 by 25 and a serial console show the same. */
#ifndef HV_BOOT_SCREEN_H
#define HV_BOOT_SCREEN_H

/* An empty screen with the product's line. */
void screen_begin(void);

/* Called before each question; before the first one it tells which machine this is and which keys do what. */
void screen_ask(void);

#endif
