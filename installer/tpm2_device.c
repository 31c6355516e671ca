/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/tpm2_device.h"
#include "installer/exits.h"
#include "storage/crypt/hash.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#define DEFAULT_NAME   "/dev/tpmrm0"
#define PAUSE_US       20000
#define RESPONSE_BYTES 4096 /* what each transport takes as room, whatever the answer needs */

struct tpm2_device {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	struct tpm2 commands;
};

static int failed(const char *what, TSS2_RC code)
{
	log_error("TPM: %s: %s", what, Tss2_RC_Decode(code));
	return EXITS_FAILED;
}

/* ---- opening, and commands of our own ---- */

static int submit(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	TSS2_TCTI_CONTEXT *tcti = context;
	uint8_t answer[RESPONSE_BYTES];
	size_t bytes = sizeof answer;

	if (Tss2_Tcti_Transmit(tcti, command_bytes, command) ||
		Tss2_Tcti_Receive(tcti, &bytes, answer, TSS2_TCTI_TIMEOUT_BLOCK))
		return -1;
	if (bytes < *response_bytes)
		*response_bytes = bytes;
	memcpy(response, answer, *response_bytes);
	secret_wipe(answer, sizeof answer);
	return 0;
}

static void wait_a_little(void *context)
{
	(void)context;
	usleep(PAUSE_US);
}

static bool random_bytes(void *context, uint8_t *bytes, size_t count)
{
	(void)context;
	return getrandom(bytes, count, 0) == (ssize_t)count;
}

struct tpm2 *tpm2_device_commands(struct tpm2_device *d)
{
	return &d->commands;
}

static int connect(struct tpm2_device *d, const char *name)
{
	char tcti[512];
	TSS2_RC code;

	snprintf(tcti, sizeof tcti, "%s%s", *name == '/' ? "device:" : "", name);
	code = Tss2_TctiLdr_Initialize(tcti, &d->tcti);
	if (!code)
		code = Esys_Initialize(&d->esys, d->tcti, NULL);
	if (!code)
		return EXITS_OK;
	log_error("the TPM %s cannot be used: %s", name, Tss2_RC_Decode(code));
	return EXITS_FAILED;
}

int tpm2_device_open(struct tpm2_device **device, const char *name)
{
	struct tpm2_device *d = *device = calloc(1, sizeof *d);
	int err;

	if (!d)
		return EXITS_FAILED;
	/* The libraries tell a person nothing that our own line does not. */
	setenv("TSS2_LOG", getenv("UNDERSEAL_DEBUG") ? "all+info" : "all+none", 0);
	/* They copy what is sealed into memory that they free as it is: it is overwritten then. */
	mallopt(M_PERTURB, 0xa5);
	err = connect(d, name ? name : DEFAULT_NAME);
	d->commands.submit = submit;
	d->commands.pause = wait_a_little;
	d->commands.random = random_bytes;
	d->commands.context = d->tcti;
	d->commands.max_response = TPM2_RESPONSE_BYTES;
	return err;
}

void tpm2_device_close(struct tpm2_device *d)
{
	if (!d)
		return;
	if (d->esys)
		Esys_Finalize(&d->esys);
	if (d->tcti)
		Tss2_TctiLdr_Finalize(&d->tcti);
	free(d);
}

/* ---- sealing ---- */

#define PRIMARY_ATTRIBUTES                                                                                            \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | \
		TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define AES_128_CFB {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB}

/* systemd's templates: the key comes out the same each time, and is kept nowhere. */
static const TPM2B_PUBLIC primaries[] = {
	[TPM2_PRIMARY_ECC] = {.publicArea = {.type = TPM2_ALG_ECC,
				      .nameAlg = TPM2_ALG_SHA256,
				      .objectAttributes = PRIMARY_ATTRIBUTES,
				      .parameters.eccDetail = {.symmetric = AES_128_CFB,
					      .scheme.scheme = TPM2_ALG_NULL,
					      .curveID = TPM2_ECC_NIST_P256,
					      .kdf.scheme = TPM2_ALG_NULL}}},
	[TPM2_PRIMARY_RSA] = {.publicArea = {.type = TPM2_ALG_RSA,
				      .nameAlg = TPM2_ALG_SHA256,
				      .objectAttributes = PRIMARY_ATTRIBUTES,
				      .parameters.rsaDetail = {.symmetric = AES_128_CFB,
					      .scheme.scheme = TPM2_ALG_NULL,
					      .keyBits = 2048}}},
};

static const TPM2B_DATA nothing_outside;
static const TPML_PCR_SELECTION no_pcrs;

static TSS2_RC create_primary(ESYS_CONTEXT *esys, enum tpm2_primary kind, ESYS_TR *primary)
{
	const TPM2B_SENSITIVE_CREATE no_auth = {0};

	return Esys_CreatePrimary(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth,
		&primaries[kind], &nothing_outside, &no_pcrs, primary, NULL, NULL, NULL, NULL);
}

/* Salted with the primary key: who listens between here and the TPM sees no parameter. */
static TSS2_RC start_session(ESYS_CONTEXT *esys, ESYS_TR primary, ESYS_TR *session)
{
	const TPMT_SYM_DEF cipher = AES_128_CFB;
	const TPMA_SESSION attributes = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
	TSS2_RC code = Esys_StartAuthSession(esys, primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
		TPM2_SE_HMAC, &cipher, TPM2_ALG_SHA256, session);

	return code ? code : Esys_TRSess_SetAttributes(esys, *session, attributes, 0xff);
}

static TSS2_RC keep_blob(const TPM2B_PRIVATE *private, const TPM2B_PUBLIC *public, struct tpm2_token *token)
{
	TSS2_RC code;

	token->blob_bytes = 0;
	code = Tss2_MU_TPM2B_PRIVATE_Marshal(private, token->blob, sizeof token->blob, &token->blob_bytes);
	return code ? code : Tss2_MU_TPM2B_PUBLIC_Marshal(public, token->blob, sizeof token->blob, &token->blob_bytes);
}

static TSS2_RC create(ESYS_CONTEXT *esys, ESYS_TR primary, ESYS_TR session, const TPM2B_SENSITIVE_CREATE *sensitive,
	struct tpm2_token *token)
{
	TPM2B_PUBLIC template = {.publicArea = {.type = TPM2_ALG_KEYEDHASH,
					 .nameAlg = TPM2_ALG_SHA256,
					 .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT,
					 .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC code;

	template.publicArea.authPolicy.size = sizeof token->policy;
	memcpy(template.publicArea.authPolicy.buffer, token->policy, sizeof token->policy);
	code = Esys_Create(esys, primary, ESYS_TR_PASSWORD, session, ESYS_TR_NONE, sensitive, &template,
		&nothing_outside, &no_pcrs, &private, &public, NULL, NULL, NULL);
	if (!code)
		code = keep_blob(private, public, token);
	Esys_Free(private);
	Esys_Free(public);
	return code;
}

static int seal(ESYS_CONTEXT *esys, const TPM2B_SENSITIVE_CREATE *sensitive, struct tpm2_token *token)
{
	ESYS_TR primary = ESYS_TR_NONE, session = ESYS_TR_NONE;
	TSS2_RC code;
	int err = EXITS_OK;

	token->primary = TPM2_PRIMARY_ECC;
	code = create_primary(esys, token->primary, &primary);
	if (code) {
		token->primary = TPM2_PRIMARY_RSA;
		code = create_primary(esys, token->primary, &primary);
	}
	if (code)
		return failed("its storage key cannot be made", code);
	code = start_session(esys, primary, &session);
	if (code)
		err = failed("no encrypted session can be started", code);
	if (!err) {
		code = create(esys, primary, session, sensitive, token);
		if (code)
			err = failed("the key cannot be sealed", code);
	}
	if (session != ESYS_TR_NONE)
		Esys_FlushContext(esys, session);
	Esys_FlushContext(esys, primary);
	return err;
}

/* The PIN's SHA-256 is what authorises, as systemd has it. */
static void put_pin(const struct secrets *pin, TPM2B_AUTH *auth)
{
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, pin->passphrase, pin->passphrase_bytes);
	hash_final(&hash, auth->buffer);
	auth->size = SHA256_BYTES;
}

int tpm2_device_seal(struct tpm2_device *d, const struct tpm2_secret *secret, const struct secrets *pin,
	struct tpm2_token *token)
{
	TPM2B_SENSITIVE_CREATE sensitive = {.sensitive.data.size = secret->bytes};
	int err;

	memcpy(sensitive.sensitive.data.buffer, secret->data, secret->bytes);
	if (pin)
		put_pin(pin, &sensitive.sensitive.userAuth);
	err = seal(d->esys, &sensitive, token);
	secret_wipe(&sensitive, sizeof sensitive);
	return err;
}
