/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates of those for whom a volume key is kept (RFC 5280). */
#ifndef INSTALLER_CERTIFICATE_H
#define INSTALLER_CERTIFICATE_H

#include <openssl/types.h>

#define CERTIFICATE_FINGERPRINT 65  /* characters of a SHA-256 in hex, with the NUL */
#define CERTIFICATE_SUBJECT	256 /* with the NUL */

/*
 * Reads one certificate, PEM or DER, into *certificate, which the caller frees.
 * Refuses one whose key nobody could unwrap a key with: not RSA of 2048 bits and more
 * nor on an elliptic curve of 256 bits and more, or with a key usage (RFC 5280,
 * section 4.2.1.3) that forbids it. Warns of one that has expired. Returns an exit code.
 */
int certificate_read(const char *file, X509 **certificate);
void certificate_free(X509 *certificate); /* NULL is allowed */

/* SHA-256 of the certificate's DER, in hex. */
void certificate_fingerprint(const X509 *certificate, char text[CERTIFICATE_FINGERPRINT]);

/* Its subject on one line of printable ASCII (RFC 2253), cut. */
void certificate_subject(const X509 *certificate, char text[CERTIFICATE_SUBJECT]);

#endif
