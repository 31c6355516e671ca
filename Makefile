# Underseal. `make help` lists the targets; nothing else is needed to work on the project.
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
PYTHON := /usr/bin/python3

B := build
VERSION := 0.1.0

# ---- sources -------------------------------------------------------------------------------------------
STORAGE_C := $(wildcard storage/*/*.c keymgmt/*.c)
HV_C      := $(wildcard hv/core/*.c hv/x86/*.c hv/svm/*.c hv/vmx/*.c hv/disk/*.c)
HV_S      := $(wildcard hv/core/*.S hv/x86/*.S hv/svm/*.S hv/vmx/*.S)
BOOT_C    := $(wildcard hv/boot/*.c)
BOOT_S    := $(filter-out hv/boot/hv_image.S,$(wildcard hv/boot/*.S))
TOOL_C    := $(wildcard installer/*.c) hv/boot/policy_parse.c hv/boot/layout.c
# The parts of hv/ that touch no hardware: also built for the host, for unit tests and fuzzers.
PURE_C    := $(wildcard hv/x86/decode*.c hv/x86/execute*.c hv/x86/step*.c hv/x86/walk.c hv/x86/tss.c hv/core/npt.c hv/svm/npt_format.c hv/vmx/ept.c hv/x86/mtrr.c hv/vmx/capability.c hv/core/format.c hv/core/log_area.c hv/core/acpi*.c \
	hv/boot/policy_parse.c hv/boot/gpt.c hv/boot/layout.c hv/boot/smbios.c hv/boot/scrub.c)
# The rest of the hypervisor, for the host over a model machine (tests/core/). Its memory functions and what it
# tells libcrypto are the host's own there.
CORE_C    := $(filter-out $(PURE_C) hv/core/string.c hv/x86/libcrypto_port.c,$(HV_C)) $(wildcard tests/core/*.c)
# What the UEFI program shares with the hypervisor.
SHARED_C  := hv/svm/missing.c hv/vmx/capability.c hv/core/format.c hv/core/log_area.c hv/core/string.c hv/x86/libcrypto_port.c

UNIT_C  := $(wildcard tests/unit/test_*.c)
MODEL_C := $(wildcard tests/model/*.c tests/model/*/*.c)
FUZZ_C  := $(wildcard tests/fuzz/fuzz_*.c)
LINES_C := $(wildcard tests/lines/*.c)
UNITS   := $(patsubst tests/unit/%.c,%,$(UNIT_C))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(FUZZ_C))

# ---- flags ---------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla
COMMON := -std=gnu11 -g -I. -MMD -MP $(WARN) -DUNDERSEAL_VERSION='"$(VERSION)"'
FREE := -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-mno-red-zone -mgeneral-regs-only -fno-strict-aliasing -fno-tree-loop-distribute-patterns \
	-ffunction-sections -fdata-sections -fno-builtin-printf
HV_CFLAGS := $(COMMON) $(FREE) -O2 -fpie -fvisibility=hidden
EFI_CFLAGS := $(COMMON) $(FREE) -O2 -fpic -fvisibility=hidden -fshort-wchar -maccumulate-outgoing-args \
	-DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -Wno-pointer-sign
TOOL_CHECKS :=
TOOL_CFLAGS := $(COMMON) -O2 -D_GNU_SOURCE $(TOOL_CHECKS) $(shell pkg-config --cflags libcryptsetup json-c fdisk p11-kit-1 2>/dev/null)
HOST_CHECKS := -fsanitize=address,undefined
HOST_CFLAGS := -Itests/core/include $(COMMON) -O1 -D_GNU_SOURCE -fno-omit-frame-pointer $(HOST_CHECKS) \
	-fno-sanitize-recover=undefined
FUZZ_CFLAGS := -std=gnu11 -g -DUNDERSEAL_VERSION='"$(VERSION)"' -Itests/core/include -I. -O1 -D_GNU_SOURCE -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
LIBCRYPTO := /usr/lib/x86_64-linux-gnu/libcrypto.a
LIBARGON2 := /usr/lib/x86_64-linux-gnu/libargon2.a

.PHONY: all help deps check guest test coverage demo run bench bench-native fuzz soak clean image efi tool sign tools
all: efi tool

help:
	@printf '%s\n' \
	'make demo    build a Debian disk, encrypt it, boot it beneath the hypervisor, show both sides (DISK=ahci, nvme or ata)' \
	'make run     the same machine with its console on this terminal                             (DISK=ahci, nvme or ata)' \
	'make test    every test: make check, then machines in QEMU   (T=name for one)' \
	'make check   host tests only, with sanitizers                (T=name for one)' \
	'make coverage every test again, counting the lines that run; fails below 85 %' \
	'make fuzz    a minute of each fuzzer                         (T=name, SECONDS_EACH=60)' \
	'make soak    fuzzers and stress guests with fresh seeds      (MINUTES=30)' \
	'make bench   every figure, written to docs/benchmarks.md and build/bench.json' \
	'make bench-native  what the NVMe mediator costs on this processor, without a machine' \
	'make efi     build/underseal.efi        make tool  build/underseal' \
	'make sign    build/underseal-signed.efi for Secure Boot      (KEY=key.pem CERT=cert.pem)' \
	'make deps    install the Debian packages the project needs'

# ---- dependencies --------------------------------------------------------------------------------------
deps: $(B)/.deps
$(B)/.deps: packages.txt tests/deps.sh
	@mkdir -p $(B)
	@bash tests/deps.sh packages.txt
	@touch $@

# ---- the hypervisor: a position-independent image with one header, embedded in the UEFI program ----------
HV_O := $(HV_C:%.c=$(B)/hv/%.o) $(HV_S:%.S=$(B)/hv/%.o) $(STORAGE_C:%.c=$(B)/hv/%.o)
$(B)/hv/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(HV_CFLAGS) -c $< -o $@
$(B)/hv/%.o: %.S | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(HV_CFLAGS) -c $< -o $@
$(B)/hv.elf: $(HV_O) hv/core/hv.lds
	@ld -pie --no-dynamic-linker -z text -z norelro -z noexecstack --no-warn-rwx-segments -nostdlib --gc-sections -T hv/core/hv.lds \
		-e hv_image_header $(HV_O) $(LIBCRYPTO) -o $@
	@! nm -u $@ | grep . || { echo "hv.elf: undefined symbols" >&2; rm -f $@; exit 1; }
$(B)/hv.bin: $(B)/hv.elf
	@objcopy -O binary $< $@

# ---- the UEFI program ----------------------------------------------------------------------------------
BOOT_O := $(BOOT_C:%.c=$(B)/efi/%.o) $(BOOT_S:%.S=$(B)/efi/%.o) $(SHARED_C:%.c=$(B)/efi/%.o) $(STORAGE_C:%.c=$(B)/efi/%.o) \
	$(B)/efi/hv_image.o
$(B)/efi/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(EFI_CFLAGS) -c $< -o $@
$(B)/efi/%.o: %.S | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(EFI_CFLAGS) -c $< -o $@
$(B)/efi/hv_image.o: hv/boot/hv_image.S $(B)/hv.bin
	@gcc -c -I$(B) $< -o $@
EFI_LINK := ld -nostdlib -znocombreloc -z noexecstack --no-warn-rwx-segments -T hv/boot/efi.lds -shared -Bsymbolic --gc-sections \
	-z defs -L/usr/lib /usr/lib/crt0-efi-x86_64.o
EFI_LIBS := -lgnuefi -lefi
$(B)/underseal.so: $(BOOT_O) hv/boot/efi.lds
	@$(EFI_LINK) $(BOOT_O) $(EFI_LIBS) $(LIBARGON2) $(LIBCRYPTO) -o $@
$(B)/%.efi: $(B)/%.so
	@objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc -j .sbat --strip-all --target=efi-app-x86_64 --subsystem=10 $< $@
	@echo "built $@ ($$(stat -c %s $@) bytes)"
efi: $(B)/underseal.efi
# What gives Bochs' firmware its tables, and what starts the hypervisor without a volume: a disk there is none that it mediates.
BOCHS := $(B)/bochs/acpi.efi $(B)/bochs/start.efi
$(BOCHS:%.efi=%.so): $(B)/bochs/%.so: $(B)/efi/tests/bochs/%.o
# Those that run where a boot manager would.
BOOTED := $(patsubst tests/guest/boot/%.c,$(B)/guest/%.efi,$(wildcard tests/guest/boot/*.c))
$(BOOTED:%.efi=%.so): $(B)/guest/%.so: $(B)/efi/tests/guest/boot/%.o
$(BOCHS:%.efi=%.so) $(BOOTED:%.efi=%.so): $(filter-out $(B)/efi/hv/boot/main.o,$(BOOT_O)) hv/boot/efi.lds
	@mkdir -p $(@D)
	@$(EFI_LINK) $(filter %.o,$^) $(EFI_LIBS) $(LIBARGON2) $(LIBCRYPTO) -o $@

# A signed copy for Secure Boot: KEY and CERT are PEM files, the certificate one that the firmware's db knows.
KEY ?=
CERT ?=
sign: $(B)/underseal.efi
	@[ -r "$(KEY)" ] && [ -r "$(CERT)" ] || { echo "sign: say whose signature: make sign KEY=key.pem CERT=cert.pem" >&2; exit 2; }
	@sbsign --key "$(KEY)" --cert "$(CERT)" --output $(B)/underseal-signed.efi $< 2>$(B)/sign.log || { cat $(B)/sign.log >&2; exit 1; }
	@sbverify --cert "$(CERT)" $(B)/underseal-signed.efi >/dev/null
	@echo "signed $(B)/underseal-signed.efi"

# ---- programs that run where a system would: tests/guest/NAME.c or tests/guest/NAME/ ---------------------
GUESTS       := $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c)) \
	$(filter-out lib boot,$(sort $(patsubst tests/guest/%/,%,$(dir $(wildcard tests/guest/*/*.c)))))
GUEST_LIB_O  := $(patsubst %,$(B)/guest/%.o,$(basename $(wildcard tests/guest/lib/*.[cS]))) \
	$(B)/guest/hv/core/format.o $(B)/guest/hv/core/string.o
guest_objects = $(patsubst %,$(B)/guest/%.o,$(basename $(wildcard tests/guest/$1.c tests/guest/$1/*.[cS])))
$(B)/guest/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(EFI_CFLAGS) -c $< -o $@
$(B)/guest/%.o: %.S | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(EFI_CFLAGS) -c $< -o $@
.SECONDEXPANSION:
$(GUESTS:%=$(B)/guest/%.so): $(B)/guest/%.so: $$(call guest_objects,$$*) $(GUEST_LIB_O) hv/boot/efi.lds
	@$(EFI_LINK) $(filter %.o,$^) $(EFI_LIBS) -o $@
# Its entries are the hypervisor's own.
$(B)/guest/vmx.so: $(B)/guest/hv/vmx/run.o $(B)/guest/hv/vmx/capability.o
guest: $(GUESTS:%=$(B)/guest/%.efi) $(BOOTED) $(BOCHS)

# ---- the underseal command -----------------------------------------------------------------------------
# What libcrypto exports comes from its shared library, which libcryptsetup uses as well; the archive only gives
# the routines that it does not export.
TOOL_O := $(TOOL_C:%.c=$(B)/tool/%.o)
TOOL_STORAGE_O := $(STORAGE_C:%.c=$(B)/tool/%.o)
$(B)/tool/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(TOOL_CFLAGS) -c $< -o $@
$(B)/tool/libstorage.a: $(TOOL_STORAGE_O)
	@rm -f $@; ar rcs $@ $(TOOL_STORAGE_O)
$(B)/underseal: $(TOOL_O) $(B)/tool/libstorage.a
	@gcc $(TOOL_CHECKS) -o $@ $(TOOL_O) $(B)/tool/libstorage.a -lcryptsetup -lfdisk -lblkid -ljson-c -ltss2-esys -ltss2-tctildr -ltss2-mu -ltss2-rc -lp11-kit $(LIBARGON2) -lcrypto $(LIBCRYPTO) -lpthread
	@echo "built $@"
tool: $(B)/underseal

# ---- host tests ----------------------------------------------------------------------------------------
HOST_O := $(STORAGE_C:%.c=$(B)/host/%.o) $(PURE_C:%.c=$(B)/host/%.o) $(MODEL_C:%.c=$(B)/host/%.o) \
	$(B)/host/installer/port.o
$(B)/host/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(HOST_CFLAGS) -c $< -o $@
$(B)/host/libhost.a: $(HOST_O)
	@rm -f $@; ar rcs $@ $(HOST_O)
$(B)/host/libcore.a: $(CORE_C:%.c=$(B)/host/%.o)
	@rm -f $@; ar rcs $@ $^
# The core brings its own log and locks: it comes first.
$(B)/host/test_exit_%: $(B)/host/tests/unit/test_exit_%.o $(B)/host/libcore.a $(B)/host/libhost.a
	@gcc $(HOST_CHECKS) -Wl,-T,tests/core/mediators.lds -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LIBCRYPTO) -lpthread
# Nobody names a mediator: an archive would not give it.
$(B)/host/test_exit_ata $(B)/host/test_exit_ata_disk: $(B)/host/hv/disk/ata_mediator.o
$(B)/host/test_%: $(B)/host/tests/unit/test_%.o $(B)/host/libhost.a
	@gcc $(HOST_CHECKS) -o $@ $< $(B)/host/libhost.a -lcmocka -lcapstone $(LIBARGON2) $(LIBCRYPTO) -lpthread
# Objects that tell each access of theirs to tests/lines.
LINES_O := $(patsubst %.c,$(B)/lines/%.o,$(wildcard storage/nvme/*.c storage/crypt/*.c tests/model/nvme_lanes*.c) \
	storage/volume/map.c installer/port.c tests/model/bus.c tests/model/nvme_io.c)
$(B)/lines/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(filter-out $(HOST_CHECKS),$(HOST_CFLAGS)) -fno-builtin -fsanitize=thread -Wno-tsan --param=tsan-instrument-func-entry-exit=0 -c $< -o $@
WRAPPED := memcpy memset aesni_xts_encrypt aesni_xts_decrypt
$(B)/host/test_nvme_lines: $(B)/host/tests/unit/test_nvme_lines.o $(LINES_C:%.c=$(B)/host/%.o) $(LINES_O) $(B)/host/libhost.a
	@gcc $(HOST_CHECKS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ -lcmocka $(LIBCRYPTO) -lpthread
.PRECIOUS: $(B)/native/hv/%.o $(B)/native/host/%.o $(B)/host/%.o $(B)/lines/%.o $(B)/tool/%.o $(B)/efi/%.o $(B)/hv/%.o $(B)/guest/%.o $(B)/%.so

T ?=
SELECTED_UNITS := $(if $(T),$(filter $(T) test_$(T),$(UNITS)),$(UNITS))
# Each fuzzer runs for seconds among the host tests; make fuzz gives them their time.
SELECTED_FUZZERS := $(if $(T),$(filter $(T),$(FUZZERS)),$(FUZZERS))
check: $(SELECTED_UNITS:%=$(B)/host/%) $(SELECTED_FUZZERS:%=$(B)/fuzz/%) $(if $(T),,tool)
	@B=$(B) bash tests/check.sh "$(T)" $(SELECTED_UNITS:%=$(B)/host/%) $(SELECTED_FUZZERS:%=$(B)/fuzz/%)

# ---- fuzzers -------------------------------------------------------------------------------------------
FUZZ_O := $(STORAGE_C:%.c=$(B)/fuzz/%.o) $(PURE_C:%.c=$(B)/fuzz/%.o) $(MODEL_C:%.c=$(B)/fuzz/%.o) \
	$(B)/fuzz/installer/port.o
$(B)/fuzz/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@clang $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
$(B)/fuzz/libfuzz.a: $(FUZZ_O)
	@rm -f $@; ar rcs $@ $(FUZZ_O)
$(B)/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(B)/fuzz/libfuzz.a
	@clang -fsanitize=fuzzer,address,undefined -o $@ $< $(B)/fuzz/libfuzz.a -lcapstone $(LIBARGON2) $(LIBCRYPTO) -lpthread
$(B)/fuzz/libcore.a: $(CORE_C:%.c=$(B)/fuzz/%.o)
	@rm -f $@; ar rcs $@ $^
$(B)/fuzz/fuzz_exit: $(B)/fuzz/tests/fuzz/fuzz_exit.o $(B)/fuzz/libcore.a $(B)/fuzz/libfuzz.a tests/fuzz/core.lds
	@clang -fsanitize=fuzzer,address,undefined -Wl,-T,tests/fuzz/core.lds -o $@ $(filter %.o %.a,$^) $(LIBCRYPTO) -lpthread
SECONDS_EACH ?= 60
fuzz: $(patsubst %,$(B)/fuzz/%,$(if $(T),$(filter $(T) fuzz_$(T),$(FUZZERS)),$(FUZZERS)))
	@bash tests/fuzz/run.sh $(SECONDS_EACH) $^

# Long runs, bounded: not among the tests.
MINUTES ?= 30
soak: $(FUZZERS:%=$(B)/fuzz/%) efi tool guest
	@$(PYTHON) -u tests/machine/soak.py $(MINUTES) $(FUZZERS:%=$(B)/fuzz/%)

# ---- the native harness: an engine of fio's ---------------------------------------------------------------
# What the hypervisor runs is built as for it; its surroundings are the host's.
NATIVE_HV_O := $(patsubst %.c,$(B)/native/hv/%.o,$(wildcard storage/nvme/*.c) storage/volume/map.c storage/crypt/xts.c \
	storage/crypt/scope.c storage/crypt/wipe.c hv/core/lock.c hv/core/string.c hv/x86/libcrypto_port.c)
NATIVE_O    := $(patsubst %.c,$(B)/native/host/%.o,$(wildcard bench/native/*.c tests/model/nvme_*.c tests/model/guest_nvme*.c) \
	tests/model/bus.c tests/model/layout.c)
NATIVE_CFLAGS = $(COMMON) -O2 -fPIC -fvisibility=hidden -D_GNU_SOURCE
$(B)/native/hv/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(filter-out -fpie,$(HV_CFLAGS)) -fPIC -c $< -o $@
$(B)/native/host/bench/native/engine.o: NATIVE_CFLAGS += -include $(B)/native/fio/config-host.h -isystem $(B)/native/fio
$(B)/native/host/bench/native/engine.o: | $(B)/native/fio
$(B)/native/host/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc $(NATIVE_CFLAGS) -c $< -o $@
$(B)/native/fio: | $(B)/.deps
	@$(PYTHON) bench/fio_source.py $@
$(B)/native/engine.so: $(NATIVE_HV_O) $(NATIVE_O)
	@gcc -shared -o $@ $^ $(LIBCRYPTO) -lpthread

# ---- machines ------------------------------------------------------------------------------------------
test: $(if $(filter $(T) test_$(T),$(UNITS)),check,$(if $(T),,check) efi tool guest)
	@$(if $(filter $(T) test_$(T),$(UNITS)),true,$(PYTHON) -u tests/machine/run.py $(T))
# Which lines of the product all these tests run: T=name adds one machine case to what is counted already.
$(B)/coverage/plugin.so: tests/coverage/plugin.c | $(B)/.deps
	@mkdir -p $(@D)
	@gcc -std=gnu11 -O2 -fPIC -fvisibility=hidden $(WARN) -shared -o $@ $<
coverage: efi tool guest $(B)/coverage/plugin.so
	@$(PYTHON) -u tests/coverage/coverage.py $(T)
# On what controller the disk is.
DISK := ahci
demo: efi tool
	@$(PYTHON) -u tests/machine/demo.py --disk "$(DISK)"
run: efi tool
	@$(PYTHON) -u tests/machine/demo.py --disk "$(DISK)" --interactive
bench: efi tool guest $(B)/native/engine.so
	@$(PYTHON) -u bench/bench.py
# The part of it that needs no machine: the NVMe mediator on this processor.
bench-native: $(B)/native/engine.so
	@$(PYTHON) -u bench/native.py
image: efi tool
	@$(PYTHON) -u tests/machine/image.py

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
