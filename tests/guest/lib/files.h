/* SPDX-License-Identifier: Apache-2.0 */
/* Files of \EFI\guest on the volume the program came from, while boot services are there. */
#ifndef TESTS_GUEST_LIB_FILES_H
#define TESTS_GUEST_LIB_FILES_H

#include <efi.h>

/* `image` is the program's own handle. */
void files_begin(EFI_HANDLE image);

/* Opened for reading, to be closed by the caller; NULL where there is none of that name. */
EFI_FILE_HANDLE files_open(const CHAR16 *name);

/*
 * The whole file in pages of their own below 4 GiB, at a multiple of `align` (a power of two, a page at least), zeros
 * behind it up to *bytes. Its address; *bytes is what it takes then. guest_fail() when there is no such file or memory.
 */
EFI_PHYSICAL_ADDRESS files_load(const CHAR16 *name, UINTN align, UINTN *bytes);

#endif
