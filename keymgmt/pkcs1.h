/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYMGMT_PKCS1_H
#define KEYMGMT_PKCS1_H

#include <stddef.h>
#include <stdint.h>

/*
 * Takes the padding of RSAES-PKCS1-v1_5 off (RFC 8017, 7.2.2): `block` is what the
 * private key has made of a ciphertext, as long as the modulus. The message goes to
 * the front of `message`, which has room for `bytes` and is zero behind it; its
 * length is returned, 0 when there is none, and all is zero then. What is read and written, and in which
 * order, does not depend on the contents. The caller wipes both.
 */
size_t pkcs1_unpad(const uint8_t *block, size_t bytes, uint8_t *message);

#endif
