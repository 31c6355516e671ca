/* SPDX-License-Identifier: Apache-2.0 */
/* NVM Express 1.4: the controller's registers (section 3) and the entries of its queues (section 4). */
#ifndef STORAGE_NVME_REGISTERS_H
#define STORAGE_NVME_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

/* Byte offsets; CAP, ASQ and ACQ are 64 bits wide, the others 32. */
enum {
	NVME_CAP = 0x00,
	NVME_VS = 0x08,
	NVME_INTMS = 0x0c,
	NVME_INTMC = 0x10,
	NVME_CC = 0x14,
	NVME_CSTS = 0x1c,
	NVME_NSSR = 0x20,
	NVME_AQA = 0x24,
	NVME_ASQ = 0x28,
	NVME_ACQ = 0x30,
	NVME_CMBLOC = 0x38,
	NVME_BPINFO = 0x40,
	NVME_CMBSTS = 0x58, /* the last of those that stand before */
	NVME_PMRCAP = 0xe00,
	NVME_DOORBELLS = 0x1000,
};

#define NVME_CAP_MQES(cap)   ((uint32_t)(cap) & 0xffff) /* entries of a queue, less 1 */
#define NVME_CAP_CQR         (1ull << 16)              /* queues must be contiguous */
#define NVME_CAP_DSTRD(cap)  ((uint32_t)((cap) >> 32) & 0xf)
#define NVME_CAP_DSTRD_BIT   32
#define NVME_CAP_NSSRS       (1ull << 36)
#define NVME_CAP_CSS         (0xffull << 37) /* command sets */
#define NVME_CAP_CSS_NVM     (1ull << 37)
#define NVME_CAP_BPS         (1ull << 45)
#define NVME_CAP_MPSMIN(cap) ((uint32_t)((cap) >> 48) & 0xf)
#define NVME_CAP_MPSMAX      (0xfull << 52)
#define NVME_CAP_PMRS        (1ull << 56)
#define NVME_CAP_CMBS        (1ull << 57)

#define NVME_CC_EN          (1u << 0)
#define NVME_CC_CSS(cc)     ((cc) >> 4 & 7)
#define NVME_CC_MPS(cc)     ((cc) >> 7 & 0xf)
#define NVME_CC_SHN(cc)     ((cc) >> 14 & 3)
#define NVME_CC_IOSQES(cc)  ((cc) >> 16 & 0xf) /* log2 of a submission queue entry */
#define NVME_CC_IOCQES(cc)  ((cc) >> 20 & 0xf)
#define NVME_CC_KEPT        (NVME_CC_EN | 7u << 11 | 3u << 14) /* EN, AMS, SHN: what a guest decides */
#define NVME_CC_SHUTDOWN    (3u << 14)
#define NVME_CC_ENTRIES     (6u << 16 | 4u << 20) /* IOSQES and IOCQES of our entries */
#define NVME_CSTS_RDY       (1u << 0)
#define NVME_CSTS_CFS       (1u << 1)
#define NVME_AQA_ASQS(aqa)  ((aqa) & 0xfff) /* entries, less 1 */
#define NVME_AQA_ACQS(aqa)  ((aqa) >> 16 & 0xfff)

/* The doorbell of a queue, from the registers' first byte: section 3.1.25 and 3.1.26. */
static inline uint32_t nvme_doorbell(uint32_t queue, uint32_t completion, uint32_t stride)
{
	return NVME_DOORBELLS + (2 * queue + completion) * (4u << stride);
}

/* Opcodes that are looked at: sections 5 and 6. */
enum {
	NVME_DELETE_SQ = 0x00,
	NVME_CREATE_SQ = 0x01,
	NVME_GET_LOG_PAGE = 0x02,
	NVME_DELETE_CQ = 0x04,
	NVME_CREATE_CQ = 0x05,
	NVME_IDENTIFY_OPCODE = 0x06,
	NVME_SET_FEATURES = 0x09,
	NVME_GET_FEATURES = 0x0a,
	NVME_READ_OPCODE = 0x02, /* of the I/O command set */
};

/* Create I/O Completion and Submission Queue, CDW11. */
#define NVME_QUEUE_CONTIGUOUS 1u
#define NVME_QUEUE_INTERRUPTS 2u

/* A submission queue entry, figure 105. */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags; /* FUSE 0-1, PSDT 6-7 */
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t metadata;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_command) == 64, "NVMe 4.2");
_Static_assert(offsetof(struct nvme_command, prp1) == 24, "NVMe 4.2");
_Static_assert(offsetof(struct nvme_command, cdw10) == 40, "NVMe 4.2");

#define NVME_FLAGS_FUSE 0x03u
#define NVME_FLAGS_PSDT 0xc0u
#define NVME_NSID_ALL   0xffffffffu

/* A completion queue entry, figure 126. */
struct nvme_completion {
	uint32_t result, reserved;
	uint16_t sq_head, sq_id;
	uint16_t cid;
	uint16_t status; /* phase in bit 0, then status code 1-8, its type 9-11, more 14, do not retry 15 */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "NVMe 4.6");

/* Status fields as they stand in a completion, without the phase: type << 9 | code << 1. */
enum nvme_status {
	NVME_INVALID_OPCODE = 0x01 << 1,
	NVME_INVALID_FIELD = 0x02 << 1,
	NVME_DATA_TRANSFER_ERROR = 0x04 << 1,
	NVME_INVALID_NAMESPACE = 0x0b << 1,
	NVME_INVALID_PRP_OFFSET = 0x13 << 1,
	NVME_NAMESPACE_WRITE_PROTECTED = 0x20 << 1,
	NVME_LBA_OUT_OF_RANGE = 0x80 << 1,
	NVME_COMPLETION_QUEUE_INVALID = 1 << 9 | 0x00 << 1,
	NVME_INVALID_QUEUE_ID = 1 << 9 | 0x01 << 1,
	NVME_INVALID_QUEUE_SIZE = 1 << 9 | 0x02 << 1,
	NVME_EVENT_LIMIT_EXCEEDED = 1 << 9 | 0x05 << 1,
	NVME_INVALID_LOG_PAGE = 1 << 9 | 0x09 << 1,
	NVME_INVALID_QUEUE_DELETION = 1 << 9 | 0x0c << 1,
	NVME_DO_NOT_RETRY = 1 << 15,
};

#endif
