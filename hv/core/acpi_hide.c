/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/acpi_hide.h"
#include "hv/core/acpi_table.h"
#include "hv/core/log.h"
#include <string.h>

#define GONE 'X'

/*
 * A table that is to be gone stays where it is, empty and with a signature that no
 * system knows: the firmware keeps an account of its own of the root table, and
 * would put a later entry behind one that we took out, where no system looks.
 */
static void empty(struct acpi_header *table)
{
	log_info("acpi: %c%c%c%c is hidden", table->signature[0], table->signature[1], table->signature[2],
		 table->signature[3]);
	memset(table + 1, 0, table->length - sizeof(*table));
	table->signature[0] = GONE;
	acpi_seal(table);
}

/* A package by another name is an object that nobody asks for. */
static void hide_sleep_states(struct acpi_header *table)
{
	uint32_t element;
	bool changed = false;

	for (char digit = '1'; digit <= '3'; digit++)
		for (uint32_t at = 0; (at = acpi_sleep_package(table, digit, at, &element)); at++) {
			((char *)table)[at] = GONE;
			changed = true;
			log_info("acpi: \\_S%c is hidden", digit);
		}
	if (changed)
		acpi_seal(table);
}

static void visit(struct acpi_header *table, void *context)
{
	(void)context;
	if (acpi_is(table, "DMAR") || acpi_is(table, "IVRS"))
		empty(table);
	else if (acpi_is(table, "DSDT") || acpi_is(table, "SSDT"))
		hide_sleep_states(table);
}

void acpi_hide(uint64_t rsdp)
{
	acpi_each(rsdp, visit, NULL);
}
