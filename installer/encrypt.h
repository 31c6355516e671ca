/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the engine of storage/convert over a volume, with a progress bar and a clean way to stop. */
#ifndef INSTALLER_ENCRYPT_H
#define INSTALLER_ENCRYPT_H

#include "installer/secrets.h"
#include "installer/volume.h"

/*
 * Encrypts what is left of `volume`, `zone_bytes` at a time, and makes its header
 * an ordinary one. Returns an exit code: EXITS_STOPPED when a
 * signal stopped it between two zones.
 */
int encrypt_volume(struct volume *volume, const struct secrets *secrets, uint64_t zone_bytes);

#endif
