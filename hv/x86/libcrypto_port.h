/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the few members of libcrypto.a that we link freestanding ask for: the
 * processor's capabilities and a cleanser. Defining them here keeps the linker
 * from pulling in libcrypto's own, and with them the rest of the library.
 */
#ifndef HV_X86_LIBCRYPTO_PORT_H
#define HV_X86_LIBCRYPTO_PORT_H

/*
 * Reads CPUID into libcrypto's capability words. Once, on one CPU, before the
 * first use of AES or SHA; AES-NI itself is the caller's to check.
 */
void libcrypto_port_init(void);

#endif
