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
 * The whole file in pages of their own, zeros behind it up to *bytes. `how` and `base` as of AllocatePages(). Its
 * address; *bytes is what it takes then. guest_fail() when there is no such file or no such memory.
 */
EFI_PHYSICAL_ADDRESS files_load(const CHAR16 *name, EFI_ALLOCATE_TYPE how, EFI_PHYSICAL_ADDRESS base, UINTN *bytes);

#endif
