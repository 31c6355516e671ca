/* SPDX-License-Identifier: Apache-2.0 */
/* The underseal command: finds the command that the first word names. */
#include "installer/commands.h"
#include "installer/exits.h"
#include "storage/port.h"
#include <stdio.h>
#include <sys/prctl.h>

static const char help_text[] =
	"Usage:\n"
	"  underseal protect TARGET --partition N --offline [OPTION...]\n"
	"                                encrypt a partition in place, or go on where it stopped\n"
	"  underseal status TARGET [--json]\n"
	"                                what is protected on a disk or in an image file\n"
	"  underseal list TARGET [--partition N] [--json]\n"
	"                                the key slots and tokens of a protected partition\n"
	"  underseal enroll TARGET --passphrase|--recovery-key|--tpm2 [OPTION...]\n"
	"                                add a passphrase, make a recovery key and show it once, or\n"
	"                                have the TPM open the partition at the start\n"
	"  underseal reseal TARGET [OPTION...]\n"
	"                                renew a TPM token after what is measured has changed\n"
	"  underseal enroll TARGET --escrow CERT.pem [--escrow ...] [--escrow-file FILE]\n"
	"                                keep the volume key for the holders of certificates\n"
	"  underseal enroll TARGET --pkcs11 URI [OPTION...]\n"
	"                                add a key that a smartcard or HSM keeps\n"
	"  underseal escrow recover FILE --pkcs11 URI [TARGET] [OPTION...]\n"
	"                                unwrap a kept volume key by smartcard or HSM, and make a\n"
	"                                recovery key for its disk\n"
	"  underseal rotate TARGET [--escrow CERT.pem ...] [--escrow-file FILE] [OPTION...]\n"
	"                                a new recovery key and escrow in the place of the old ones\n"
	"  underseal remove TARGET SLOT [OPTION...]\n"
	"                                wipe a key slot; another one must open the partition\n"
	"  underseal remove TARGET --token N [OPTION...]\n"
	"                                take away a token without a slot, as an escrow's\n"
	"  underseal status [--json]     the hypervisor beneath this system, and its volumes\n"
	"  underseal stat [--json]       its exits, by reason and processor\n"
	"  underseal log [--previous] [--json]\n"
	"                                its log; --previous: that of the start before this one\n"
	"  underseal lock                write what is pending, wipe the keys, turn the computer off\n"
	"\n"
	"Options of protect:\n"
	"  --partition N                 the partition's number in the GPT\n"
	"  --offline                     encrypt now, while nothing uses the partition\n"
	"  --passphrase-file FILE        read the passphrase from FILE (- is standard input)\n"
	"  --sector-size 512|4096        bytes of a cipher sector; default: the disk's sector\n"
	"  --header-size MIB             size of the header partition; default: 16, less where\n"
	"                                there is no room for it\n"
	"  --zone-size MIB               encrypted between two checkpoints; default: 32\n"
	"  --pbkdf-memory KIB            memory one try of the passphrase takes; default: 262144\n"
	"  --iter-time MS                time one try shall take; default: 2000\n"
	"  --escrow CERT.pem, --escrow-file FILE\n"
	"                                keep the volume key before anything is encrypted, as for\n"
	"                                enroll; a policy with escrow=required asks for both\n"
	"  --policy-file FILE            a policy instead of that on the EFI system partition\n"
	"\n"
	"Options of enroll:\n"
	"  --partition N                 needed where several partitions are protected\n"
	"  --passphrase-file FILE        read a passphrase or recovery key that opens it from FILE\n"
	"  --new-passphrase-file FILE    read the new passphrase from FILE\n"
	"  --pbkdf-memory, --iter-time   of a new passphrase, as for protect\n"
	"  --tpm2-pcrs N+N...            what the TPM token binds; default: 7+12\n"
	"  --pin                         ask for a new PIN, which the TPM token needs then\n"
	"\n"
	"Options of enroll --tpm2 and of reseal:\n"
	"  --tpm2-device DEVICE          device node or TCTI string; default: /dev/tpmrm0\n"
	"  --event-log FILE              what the firmware has measured; default: the kernel's\n"
	"  --policy-file FILE            the underseal.conf that the computer will start with;\n"
	"                                default: the one that the event log knows of\n"
	"  --pin-file FILE               read the new PIN from FILE\n"
	"  --slot N                      reseal only: needed where several slots have TPM tokens\n"
	"  --pkcs11 URI                  the token, as pkcs11:token=card, with id= its key\n"
	"  --pin-file FILE               read its PIN from FILE\n"
	"  --escrow CERT.pem             whose key unwraps the volume key; up to 8 times\n"
	"  --escrow-file FILE            keep it in a new file as well as in the header\n"
	"\n"
	"Options of escrow recover:\n"
	"  --pkcs11 URI                  the token with the private key, as pkcs11:token=officer\n"
	"  --pin-file FILE               read its PIN from FILE\n"
	"  --certificate CERT.pem        of a key that has no certificate on the token\n"
	"  --partition N                 needed where several partitions of TARGET are protected\n"
	"  --audit-log FILE              append a line there too, not only to the system's log\n"
	"  --print-volume-key            without a TARGET: show the volume key itself, in hex\n"
	"\n"
	"Options of rotate: --partition, --passphrase-file, --escrow, --escrow-file as for enroll\n"
	"\n"
	"Options of remove:\n"
	"  --partition N                 needed where several partitions are protected\n"
	"  --passphrase-file FILE        read a passphrase or recovery key that stays from FILE\n"
	"  --force                       also when only TPM or smartcard slots stay\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 wrong passphrase,\n"
	"5 not beneath underseal, 6 stopped (the same command continues).\n";

static int help(int count, char **words)
{
	(void)count;
	(void)words;
	fputs(help_text, stdout);
	return EXITS_OK;
}

static int version(int count, char **words)
{
	(void)count;
	(void)words;
	puts("underseal " UNDERSEAL_VERSION);
	return EXITS_OK;
}

static const struct {
	const char *name;
	int (*run)(int count, char **words);
} commands[] = {
	{"protect",   command_protect},
	{"list",	   command_list	   },
	{"enroll",	   command_enroll	   },
	{"reseal",	   command_reseal	   },
	{"remove",	   command_remove	   },
	{"escrow",	   command_escrow	   },
	{"rotate",	   command_rotate	   },
	{"status",	   command_status },
	{"stat",	 command_stat   },
	{"log",	command_log	   },
	{"lock",	       command_lock	   },
	{"--help",	   help	       },
	{"-h",	       help	   },
	{"--version", version	     },
};

int main(int count, char **words)
{
	/* No core file and no debugger: the process may hold a volume key. */
	prctl(PR_SET_DUMPABLE, 0);
	if (count < 2) {
		fputs(help_text, stderr);
		return EXITS_USAGE;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(words[1], commands[i].name))
			return commands[i].run(count - 1, words + 1);
	log_error("there is no command \"%s\"; try underseal --help", words[1]);
	return EXITS_USAGE;
}
