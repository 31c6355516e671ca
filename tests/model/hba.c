/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of the model HBA: AHCI 1.3.1 sections 3 and 10. */
#include "tests/model/hba.h"
#include <string.h>

#define SIGNATURE_DISK 0x00000101u
#define LINK_UP	       0x123u

void hba_init(struct hba *hba, struct bus *bus, uint32_t pi, unsigned slots)
{
	memset(hba, 0, sizeof(*hba));
	hba->bus = bus;
	/* S64A, SNCQ, SCLO, gen 2, AHCI only off, PMD, SSC, PSC; NP 32. */
	hba->cap = 0xc1200000u | 0xe000u | (slots - 1) << 8 | 31;
	hba->pi = pi;
	hba->delay = 3;
	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		hba->port[i].tfd = 0x7f;
		hba->port[i].sig = UINT32_MAX;
		hba->port[i].strict = true;
	}
}

void hba_connect(struct hba *hba, unsigned port, struct ata_disk *disk)
{
	hba->port[port].disk = disk;
	hba->port[port].cmd |= PXCMD_SUD;
	hba_link_reset(hba, port);
	hba->port[port].link_wait = 1;
	hba_read(hba, ABAR_CAP); /* the link is up before anybody looks */
}

/* PxIS.PCS and PRCS are not stored: they mirror PxSERR. */
static uint32_t port_status(const struct hba_port *p)
{
	return p->is | (p->serr & PXSERR_X ? PXIS_PCS : 0) | (p->serr & PXSERR_N ? PXIS_PRCS : 0);
}

/* IS follows the ports; a message is sent when it becomes non-zero or a bit stays after an acknowledgement.
 */
static void update_is(struct hba *hba, bool acknowledged)
{
	uint32_t before = hba->is;

	for (uint32_t rest = hba->pi; rest; rest &= rest - 1) {
		unsigned i = (unsigned)__builtin_ctz(rest);

		if (port_status(&hba->port[i]) & hba->port[i].ie)
			hba->is |= 1u << i;
	}
	if (hba->ghc & ABAR_GHC_IE && hba->is && (!before || acknowledged))
		hba->message = true;
}

void hba_raise(struct hba *hba, unsigned port, uint32_t bits)
{
	hba->port[port].is |= bits;
	update_is(hba, false);
}

bool hba_interrupt(const struct hba *hba)
{
	return hba->ghc & ABAR_GHC_IE && hba->is;
}

bool hba_take_interrupt(struct hba *hba)
{
	bool taken = hba->message;

	hba->message = false;
	return taken;
}

/* COMRESET: the disk goes away, and comes back with its signature. */
void hba_link_reset(struct hba *hba, unsigned port)
{
	struct hba_port *p = &hba->port[port];

	p->accepted = p->moved = 0;
	p->stale = false;
	p->tfd = 0x7f;
	p->sig = UINT32_MAX;
	p->ssts = 0;
	p->signature = false;
	p->link_wait = hba->delay + 1;
	if (p->disk)
		ata_disk_reset(p->disk);
}

static void link_up(struct hba *hba, unsigned port)
{
	struct hba_port *p = &hba->port[port];

	if (!p->disk)
		return;
	p->ssts = LINK_UP;
	p->tfd = 0x80;
	p->serr |= PXSERR_X | PXSERR_N;
	p->signature = true;
	update_is(hba, false);
}

void hba_send_signature(struct hba *hba, unsigned port)
{
	const struct ata_command nothing = {.lba = 1, .count = 1};
	struct hba_port *p = &hba->port[port];

	p->signature = false;
	p->sig = SIGNATURE_DISK;
	hba_post_status(hba, port, &nothing, 0x50, 0x01, false);
}

/* What changes with time alone. Counted in register reads, so that a poller always gets on. */
static void settle(struct hba *hba)
{
	if (hba->stuck)
		return;
	if (hba->reset_wait && !--hba->reset_wait)
		hba->ghc &= ~ABAR_GHC_HR;
	for (uint32_t rest = hba->pi; rest; rest &= rest - 1) {
		unsigned i = (unsigned)__builtin_ctz(rest);
		struct hba_port *p = &hba->port[i];

		if (p->start_wait && !--p->start_wait) {
			p->cmd &= ~(PXCMD_CR | 0x1f00);
			p->ci = p->sact = 0;
			p->halted = false;
			/* The HBA forgets; the disk does not, until it is reset. */
			p->stale = p->stale || p->accepted;
			p->accepted = p->moved = 0;
		}
		if (p->receive_wait && !--p->receive_wait)
			p->cmd &= ~PXCMD_FR;
		if (!(p->ssts & 15) && (p->sctl & 15) == 0 && p->cmd & PXCMD_SUD && p->link_wait &&
			!--p->link_wait)
			link_up(hba, i);
		if (p->signature && p->cmd & PXCMD_FR)
			hba_send_signature(hba, i);
	}
}

static uint32_t *port_register(struct hba_port *p, uint32_t reg)
{
	switch (reg) {
	case PX_CLB:
		return &p->clb;
	case PX_CLBU:
		return &p->clbu;
	case PX_FB:
		return &p->fb;
	case PX_FBU:
		return &p->fbu;
	case PX_IE:
		return &p->ie;
	case PX_TFD:
		return &p->tfd;
	case PX_SIG:
		return &p->sig;
	case PX_SSTS:
		return &p->ssts;
	case PX_SCTL:
		return &p->sctl;
	case PX_SERR:
		return &p->serr;
	case PX_SACT:
		return &p->sact;
	case PX_CI:
		return &p->ci;
	default:
		return NULL;
	}
}

uint32_t hba_read(struct hba *hba, uint32_t offset)
{
	struct hba_port *p;
	uint32_t *value;

	hba->reads++;
	if (hba->access)
		hba->access(hba->access_context, offset);
	settle(hba);
	switch (offset) {
	case ABAR_CAP:
		return hba->cap;
	case ABAR_GHC:
		return hba->ghc | (hba->reset_wait ? ABAR_GHC_HR : 0);
	case ABAR_IS:
		return hba->is;
	case ABAR_PI:
		return hba->pi;
	case ABAR_VS:
		return 0x10301;
	}
	if (offset < 0x100 || offset >= 0x1100 || !(hba->pi >> (offset - 0x100) / 0x80 & 1))
		return 0;
	p = &hba->port[(offset - 0x100) / 0x80];
	if (offset % 0x80 == PX_IS)
		return port_status(p);
	if (offset % 0x80 == PX_CMD)
		return p->cmd | (p->cmd & PXCMD_CR ? (uint32_t)p->last << 8 : 0);
	value = port_register(p, offset % 0x80);
	return value ? *value : 0;
}

static void write_cmd(struct hba *hba, unsigned port, uint32_t value)
{
	struct hba_port *p = &hba->port[port];

	if (value & PXCMD_CLO && !(p->cmd & PXCMD_ST))
		p->tfd &= ~(PXTFD_BSY | PXTFD_DRQ);
	if (value & PXCMD_ST && !(p->cmd & PXCMD_ST)) {
		if (p->strict && !p->rude &&
			(p->start_wait || !(p->cmd & PXCMD_FR) || p->tfd & (PXTFD_BSY | PXTFD_DRQ)))
			bus_fault(hba->bus, "port %u: ST set with CMD %x TFD %x", port, p->cmd, p->tfd);
		p->cmd |= PXCMD_CR;
		p->last = MODEL_SLOTS - 1;
		p->start_wait = 0;
	}
	if (!(value & PXCMD_ST) && p->cmd & PXCMD_ST)
		p->start_wait = hba->delay + 1;
	if (value & PXCMD_FRE && !(p->cmd & PXCMD_FRE)) {
		p->cmd |= PXCMD_FR;
		p->receive_wait = 0;
	}
	if (!(value & PXCMD_FRE) && p->cmd & PXCMD_FRE) {
		if (p->strict && !p->rude && p->cmd & PXCMD_CR)
			bus_fault(hba->bus, "port %u: FRE cleared while CR", port);
		p->receive_wait = hba->delay + 1;
	}
	p->cmd =
		(p->cmd & (PXCMD_CR | PXCMD_FR)) | (value & (PXCMD_ST | PXCMD_FRE | PXCMD_SUD | 0xff000004u));
}

static void write_sctl(struct hba *hba, unsigned port, uint32_t value)
{
	struct hba_port *p = &hba->port[port];

	if ((value & 15) == 1) {
		if (p->strict && !p->rude && p->cmd & PXCMD_ST)
			bus_fault(hba->bus, "port %u: COMRESET while ST", port);
		hba_link_reset(hba, port);
	}
	if ((value & 15) == 4)
		p->ssts = 4;
	p->sctl = value & 0xfff;
}

/* 10.4.3: everything but the base addresses and what the firmware fixed. */
static void reset(struct hba *hba)
{
	hba->ghc = ABAR_GHC_HR;
	hba->is = 0;
	hba->message = false;
	hba->reset_wait = hba->delay + 1;
	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		struct hba_port *p = &hba->port[i];
		struct hba_port fresh = {.clb = p->clb,
			.clbu = p->clbu,
			.fb = p->fb,
			.fbu = p->fbu,
			.disk = p->disk,
			.strict = p->strict,
			.rude = p->rude,
			.cmd = PXCMD_SUD};

		*p = fresh;
		hba_link_reset(hba, i);
	}
}

static void write_address(struct hba *hba, unsigned port, uint32_t *target, uint32_t value, uint32_t running)
{
	if (hba->port[port].strict && hba->port[port].cmd & running && *target != value)
		bus_fault(hba->bus, "port %u: base address changed while in use", port);
	*target = value;
}

static void write_port(struct hba *hba, unsigned port, uint32_t reg, uint32_t value)
{
	struct hba_port *p = &hba->port[port];

	switch (reg) {
	case PX_CLB:
		write_address(hba, port, &p->clb, value & ~0x3ffu, PXCMD_CR);
		break;
	case PX_CLBU:
		write_address(hba, port, &p->clbu, value, PXCMD_CR);
		break;
	case PX_FB:
		write_address(hba, port, &p->fb, value & ~0xffu, PXCMD_FR);
		break;
	case PX_FBU:
		write_address(hba, port, &p->fbu, value, PXCMD_FR);
		break;
	case PX_IS:
		p->is &= ~value;
		break;
	case PX_IE:
		p->ie = value;
		break;
	case PX_CMD:
		write_cmd(hba, port, value);
		break;
	case PX_SCTL:
		write_sctl(hba, port, value);
		break;
	case PX_SERR:
		p->serr &= ~value;
		break;
	case PX_SACT: /* a bit that is set before its CI bit */
		if (p->cmd & PXCMD_ST)
			p->sact |= value;
		else if (p->strict && value)
			bus_fault(hba->bus, "port %u: SACT written while stopped", port);
		break;
	case PX_CI:
		if (p->cmd & PXCMD_ST)
			p->ci |= value & (UINT32_MAX >> (31 - (hba->cap >> 8 & 31)));
		else if (p->strict && value)
			bus_fault(hba->bus, "port %u: CI written while stopped", port);
		break;
	default:
		break;
	}
	update_is(hba, false);
}

void hba_write(struct hba *hba, uint32_t offset, uint32_t value)
{
	hba->writes++;
	if (hba->access)
		hba->access(hba->access_context, offset);
	if (offset == ABAR_GHC) {
		if (value & ABAR_GHC_HR)
			reset(hba);
		else
			hba->ghc = value & (ABAR_GHC_IE | ABAR_GHC_AE);
		update_is(hba, true);
	} else if (offset == ABAR_IS) {
		hba->is &= ~value;
		update_is(hba, true);
	} else if (offset >= 0x100 && offset < 0x1100 && hba->pi >> (offset - 0x100) / 0x80 & 1) {
		write_port(hba, (offset - 0x100) / 0x80, offset % 0x80, value);
	}
}
