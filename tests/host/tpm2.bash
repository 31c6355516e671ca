# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of TPM tokens: a protected disk, and a TPM that is started as a computer starts it.
source tests/host/keys.bash
tpm=swtpm:path=$work/tpm
export TPM2TOOLS_TCTI=$tpm
swtpm_setup --tpm2 --tpmstate "$(mkdir state && echo state)" --pcr-banks sha256 --overwrite >/dev/null
trap '[ -z "${chip:-}" ] || kill "$chip"; rm -rf "$work"' EXIT

gcc -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root" -o unseal "$root/tests/machine/guest/unseal.c" \
	"$root/$B/tool/installer/port.o" "$root/$B/tool/libstorage.a" /usr/lib/x86_64-linux-gnu/libargon2.a \
	/usr/lib/x86_64-linux-gnu/libcrypto.a

cat >stock.c <<'END'
/* stock TPM HEADER [PIN]: opens it by libcryptsetup with systemd's own plugin, and says which slot that was. */
#include <libcryptsetup.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words)
{
	/* systemd_tpm2_plugin_params of systemd 252. */
	struct { uint32_t pcrs; const char *device, *signature; } plugin = {UINT32_MAX, words[1], NULL};
	const char *pin = count > 3 ? words[3] : NULL;
	struct crypt_device *device;
	int slot = crypt_init(&device, words[2]);

	if (!slot)
		slot = crypt_load(device, CRYPT_LUKS2, NULL);
	if (!slot)
		slot = crypt_activate_by_token_pin(device, NULL, "systemd-tpm2", CRYPT_ANY_TOKEN, pin, pin ? strlen(pin) : 0,
			&plugin, 0);
	printf("slot %d\n", slot);
	return slot < 0;
}
END
gcc -O1 -Wall -o stock_open stock.c -lcryptsetup

printf 'tries=5\n' >conf
printf 'SecureBoot=0' >secure
printf 'underseal: closed' >closed
printf 'a later program' >later
printf '2580\n' >pin

# start CONF SECURE: the computer starts with that policy file and what PCR 7 is made of, up to where its boot program
# unseals; `log` is then the event log that its system will find.
start() {
	local events=(7,0x80000001,"$2",SecureBoot "12,13,$1,underseal: policy")
	stop
	rm -f tpm tpm.ctrl
	swtpm socket --tpm2 --tpmstate dir=state --server "type=unixio,path=$work/tpm" --ctrl "type=unixio,path=$work/tpm.ctrl" \
		--flags not-need-init,startup-clear </dev/null >swtpm.log 2>&1 &
	chip=$!
	while [ ! -S tpm ]; do sleep 0.02; done
	mapfile -t extends < <(/usr/bin/python3 "$here/event_log.py" log "${events[@]}")
	for extend in "${extends[@]}"; do tpm2_pcrextend "$extend"; done
	/usr/bin/python3 "$here/event_log.py" log "${events[@]}" '12,13,closed,underseal: closed' 7,0x800000e0,later,db >/dev/null
}

# run_system: what comes after that.
run_system() {
	tpm2_pcrextend 12:sha256="$(sha256sum <closed | cut -d' ' -f1)" 7:sha256="$(sha256sum <later | cut -d' ' -f1)"
}

stop() {
	[ -n "${chip:-}" ] || return 0
	tpm2_shutdown --clear
	kill "$chip"
	wait "$chip" 2>/dev/null || true
	chip=
}

# stock_opens [PIN]: whether stock libcryptsetup and systemd open the header by a token; `stock` says which slot it was.
stock_opens() {
	header_out
	local code=0
	./stock_open "$tpm" header "$@" >stock 2>&1 || code=$?
	# Where a resource manager is missing, what it leaves behind stays.
	tpm2_flushcontext -t
	tpm2_flushcontext -s
	tpm2_flushcontext -l
	return $code
}

# told_by_boot NUMBER [PIN]: what the boot program's code has to say of the token.
told_by_boot() {
	header_out
	./unseal "$work/tpm" header "${@:2}" | sed -n "s/^token $1: //p"
}
