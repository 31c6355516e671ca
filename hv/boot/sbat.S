/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBAT, by which shim revokes whole generations of a program: component,
 * generation, vendor, package, version, address. The generation goes up when a
 * security hole is closed that signed older builds have.
 */
	.section .sbat, "a", @progbits
	.ascii "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
	.ascii "underseal,1,Underseal,underseal," UNDERSEAL_VERSION ",-\n"
	.section .note.GNU-stack, "", @progbits
