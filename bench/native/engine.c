/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An external engine of fio's: each of its threads drives a lane (tests/model/nvme_lanes.h)
 * of one model controller in RAM, bare or through the mediator as the hypervisor has it. Blocks
 * of 4 KiB; threads, not processes (--thread), for they share the controller.
 */
#include "fio.h"
#include "optgroup.h"
#include "bench/native/baton.h"
#include "bench/native/instructions.h"
#include "bench/native/turns.h"
#include "hv/x86/libcrypto_port.h"
#include "tests/model/nvme_lanes.h"

#define LINE_BYTES   64
#define MEMORY_BYTES ((LANE_ENTRIES + 1) * LANE_BYTES) /* of a lane, for fio's buffers */

struct engine_options {
	void *unused; /* fio takes an option at offset 0 for one that is not ours */
	unsigned mode, lanes, registers, turns, baton;
};

static struct fio_option engine_option[] = {
	{
		.name = "mode",
		.lname = "what stands between fio and the controller",
		.type = FIO_OPT_STR,
		.off1 = offsetof(struct engine_options, mode),
		.def = "encrypted",
		.posval = {
			{.ival = "bare", .oval = LANES_BARE, .help = "nothing"},
			{.ival = "cipher", .oval = LANES_CIPHER, .help = "AES-XTS alone"},
			{.ival = "encrypted", .oval = LANES_ENCRYPTED, .help = "the mediator"},
		},
		.category = FIO_OPT_C_ENGINE,
	},
	{
		.name = "lanes",
		.lname = "queue pairs",
		.type = FIO_OPT_INT,
		.off1 = offsetof(struct engine_options, lanes),
		.def = "1",
		.minval = 1,
		.maxval = LANES,
		.help = "At least as many as there are threads",
		.category = FIO_OPT_C_ENGINE,
	},
	{
		.name = "registers",
		.lname = "rings registers",
		.type = FIO_OPT_BOOL,
		.off1 = offsetof(struct engine_options, registers),
		.def = "0",
		.help = "Beneath the mediator as well, where a guest would ring in memory",
		.category = FIO_OPT_C_ENGINE,
	},
	{
		.name = "turns",
		.lname = "two threads by turns",
		.type = FIO_OPT_BOOL,
		.off1 = offsetof(struct engine_options, turns),
		.def = "0",
		.help = "One alone, both, the other alone, both: counted, see turns.h",
		.category = FIO_OPT_C_ENGINE,
	},
	{
		.name = "baton",
		.lname = "threads of different modes by turns",
		.type = FIO_OPT_BOOL,
		.off1 = offsetof(struct engine_options, baton),
		.def = "0",
		.help = "One of each mode, on one processor: see baton.h",
		.category = FIO_OPT_C_ENGINE,
	},
	{.name = NULL},
};

/* A thread's. */
struct engine {
	struct lane *lane;
	struct io_u *io_u[LANE_ENTRIES]; /* by command identifier */
	uint16_t reaped[LANE_ENTRIES];
	unsigned reaped_count, given; /* completions that fio has not been given yet follow `given` */
	struct io_u *event[LANE_ENTRIES];
	uint64_t commands, exits; /* exits: that the lane had before */
	struct instructions instructions;
	struct turns *turns; /* NULL where they are not taken */
	bool baton;
} __attribute__((aligned(LINE_BYTES)));

/* A machine for each mode: made by the first thread that wants it, shared by all that do, freed with the process. */
static struct machine {
	struct lanes lanes;
	unsigned taken; /* lanes, a bit each */
} machines[LANES_ENCRYPTED + 1] __attribute__((aligned(LINE_BYTES)));
static pthread_mutex_t machines_lock = PTHREAD_MUTEX_INITIALIZER;

static bool make_machine(struct machine *machine, struct thread_data *td)
{
	const struct engine_options *asked = td->eo;
	const struct lanes_options options = {.mode = asked->mode,
		.lanes = asked->lanes,
		.lane_blocks = td->o.size / LANE_BYTES,
		.memory_bytes = MEMORY_BYTES,
		.registers = asked->registers};

	libcrypto_port_init();
	return lanes_init(&machine->lanes, &options);
}

static struct lane *take_lane(struct thread_data *td)
{
	struct machine *machine = &machines[((struct engine_options *)td->eo)->mode];
	struct lane *lane = NULL;

	pthread_mutex_lock(&machines_lock);
	if (machine->lanes.count || make_machine(machine, td)) {
		unsigned number = (unsigned)__builtin_ctz(~machine->taken);

		if (number < machine->lanes.count) {
			machine->taken |= 1u << number;
			lane = &machine->lanes.lane[number];
		}
	}
	pthread_mutex_unlock(&machines_lock);
	return lane;
}

static void give_lane(const struct lane *lane)
{
	struct machine *machine = &machines[lane->all->mode];

	pthread_mutex_lock(&machines_lock);
	machine->taken &= ~(1u << (lane->queue - 1));
	pthread_mutex_unlock(&machines_lock);
}

static int engine_init(struct thread_data *td)
{
	const struct engine_options *options = td->eo;
	struct engine *engine;

	if (!td->o.use_thread || td->o.iodepth >= LANE_ENTRIES - 1 || td->o.size % (8 * LANE_BYTES) ||
		td->o.max_bs[DDIR_READ] != LANE_BYTES || td->o.max_bs[DDIR_WRITE] != LANE_BYTES) {
		log_err("underseal: wants thread, bs=4k, a size of whole 32 KiB, iodepth below %u\n", LANE_ENTRIES - 1);
		return 1;
	}
	engine = aligned_alloc(LINE_BYTES, sizeof(*engine));
	memset(engine, 0, sizeof(*engine));
	engine->lane = take_lane(td);
	if (!engine->lane) {
		log_err("underseal: no lane\n");
		free(engine);
		return 1;
	}
	engine->exits = engine->lane->exits;
	if (options->turns)
		engine->turns = calloc(1, sizeof(*engine->turns));
	engine->baton = options->baton;
	if (engine->baton)
		baton_join(engine->lane->all->mode);
	td->io_ops_data = engine;
	return 0;
}

static void engine_cleanup(struct thread_data *td)
{
	struct engine *engine = td->io_ops_data;

	if (!engine)
		return;
	if (engine->baton)
		baton_leave(engine->lane->all->mode);
	flockfile(stderr);
	fprintf(stderr, "%s: %llu commands, %llu exits, %llu failed, %llu instructions\n", td->o.name,
		(unsigned long long)engine->commands, (unsigned long long)(engine->lane->exits - engine->exits),
		(unsigned long long)engine->lane->failed,
		(unsigned long long)instructions_end(&engine->instructions));
	if (engine->turns)
		turns_tell(engine->turns, td->o.name, stderr);
	funlockfile(stderr);
	free(engine->turns);
	give_lane(engine->lane);
	free(engine);
}

static enum fio_q_status engine_queue(struct thread_data *td, struct io_u *io_u)
{
	struct engine *engine = td->io_ops_data;

	if (io_u->ddir != DDIR_READ && io_u->ddir != DDIR_WRITE)
		return FIO_Q_COMPLETED;
	if (engine->baton)
		baton_take(engine->lane->all->mode);
	if (engine->turns)
		turns_take(engine->turns, (engine->lane->queue - 1u) % 2);
	if (!engine->commands++)
		instructions_begin(&engine->instructions);
	engine->io_u[io_u->index] = io_u;
	lane_submit(engine->lane, (uint16_t)io_u->index, io_u->ddir == DDIR_WRITE, io_u->offset / LANE_BYTES, io_u->xfer_buf);
	return FIO_Q_QUEUED;
}

static int engine_commit(struct thread_data *td)
{
	lane_ring(((struct engine *)td->io_ops_data)->lane);
	return 0;
}

static int engine_getevents(struct thread_data *td, unsigned min, unsigned max, const struct timespec *timeout)
{
	struct engine *engine = td->io_ops_data;
	uint64_t failed = engine->lane->failed;
	unsigned found = 0;

	(void)timeout;
	for (;;) {
		while (engine->given < engine->reaped_count && found < max)
			engine->event[found++] = engine->io_u[engine->reaped[engine->given++]];
		if (found >= min)
			break;
		engine->given = 0;
		engine->reaped_count = lane_reap(engine->lane, engine->reaped);
	}
	for (unsigned i = 0; engine->lane->failed != failed && i < found; i++)
		engine->event[i]->error = EIO;
	return (int)found;
}

static struct io_u *engine_event(struct thread_data *td, int event)
{
	return ((struct engine *)td->io_ops_data)->event[event];
}

/* The lane's own memory is what fio works in: it is the guest's, and nothing is copied. */
static int engine_memory(struct thread_data *td, size_t bytes)
{
	const struct engine *engine = td->io_ops_data;

	if (bytes > MEMORY_BYTES)
		return 1;
	td->orig_buffer = (char *)engine->lane->memory;
	return 0;
}

static void engine_memory_end(struct thread_data *td)
{
	td->orig_buffer = NULL;
}

static int engine_open(struct thread_data *td, struct fio_file *file)
{
	(void)td;
	(void)file;
	return 0;
}

__attribute__((visibility("default"))) struct ioengine_ops ioengine = {
	.name = "underseal",
	.version = FIO_IOOPS_VERSION,
	.flags = FIO_DISKLESSIO | FIO_RAWIO,
	.init = engine_init,
	.cleanup = engine_cleanup,
	.queue = engine_queue,
	.commit = engine_commit,
	.getevents = engine_getevents,
	.event = engine_event,
	.open_file = engine_open,
	.close_file = engine_open,
	.iomem_alloc = engine_memory,
	.iomem_free = engine_memory_end,
	.options = engine_option,
	.option_struct_size = sizeof(struct engine_options),
};
