/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot stage on this board: copies a slot's image into the application's code memory, measures that memory, locks
 * what the application must not have, and starts it; answers its requests from then on.
 */

#include <arm_cmse.h>
#include <string.h>

#include "ports/common/boot_server.h"
#include "ports/mps2-an505/flash_psram.h"
#include "ports/mps2-an505/map.h"
#include "ports/mps2-an505/secure/console.h"
#include "ports/mps2-an505/secure/isolation.h"
#include "ports/mps2-an505/secure/start.h"
#include "ports/mps2-an505/secure/watchdog.h"
#include "ports/mps2-an505/veneer.h"

#define PIECE 512u /* bytes that are copied or measured at once */

static struct machine {
        struct port_flash flash;
        struct boot boot;
        struct boot_server server;
        bool running; /* the application's code memory is in use */
        bool trying;
        uint8_t message[BOOT_MESSAGE_MAX];
} machine;

static uint32_t strap(uint32_t offset)
{
        return *(const volatile uint32_t *)(AN505_STRAPS + offset); /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- the image */

static uint8_t *code_memory(void)
{
        return (uint8_t *)AN505_APPLICATION_CODE; /* NOLINT(performance-no-int-to-ptr) */
}

/* At a start: into the memory that will be executed, which nobody else can write yet; that memory is measured. */
static int load_code(const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        int r = flash_area_read(image, 0, code_memory(), size);

        memset(code_memory() + size, 0, AN505_APPLICATION_CODE_SIZE - size);
        return r == 0 ? crypto_sha256(span_of(code_memory(), size), digest) : r;
}

/* While the application runs: of the flash, and only to tell it whether the image would do. */
static int measure_flash(const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        uint8_t piece[PIECE];
        struct sha256 hash;
        int r = crypto_sha256_init(&hash);

        for (uint32_t at = 0; at < size && r == 0; at += PIECE) {
                uint32_t n = size - at < PIECE ? size - at : PIECE;
                r = flash_area_read(image, at, piece, n);
                if (r == 0)
                        r = crypto_sha256_update(&hash, span_of(piece, n));
        }
        return r == 0 ? crypto_sha256_final(&hash, digest) : r;
}

static int load(void *context, const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        const struct machine *m = context;

        if (size > AN505_APPLICATION_CODE_SIZE)
                return RELAY_E_SPACE;
        return m->running ? measure_flash(image, size, digest) : load_code(image, size, digest);
}

/* The device secret is not for the application, nor for whatever it could make the secure side do. */
static int lock(void *context)
{
        const struct machine *m = context;
        struct flash_area secret = layout_area(&m->flash, LAYOUT_SECRET);

        flash_psram_hide(secret.first, secret.count);
        return 0;
}

/* ---- one start */

static void tell_outcome(int answer, const struct boot_outcome *outcome)
{
        static const char *const slots[] = { "slot A: ", "slot B: " };

        for (unsigned slot = 0; slot < 2; slot++)
                if (outcome->reasons[slot] != REASON_NONE)
                        console_line(4, slots[slot], reason_name(outcome->reasons[slot]));
        if (outcome->recovery != REASON_NONE)
                console_line(4, "recovery: ", reason_name(outcome->recovery));
        if (answer == BOOT_RUN)
                console_line(6, outcome->slot == 0 ? "starting slot A" : "starting slot B",
                             outcome->trying ? ", on trial" : "");
        else if (answer == BOOT_RECOVERY)
                console_line(4, "starting the recovery image", "");
        else if (answer == BOOT_UNCLAIMED)
                console_line(4, "no site owns this device", "");
        else
                console_line(2, "nothing can be started: waiting for people", "");
        if (outcome->keys < 0)
                console_line(4, "no key to connect with: ", relay_result_string(outcome->keys));
}

static void power_cut(void *context)
{
        (void)context;
        console_line(2, "power cut on order", "");
        start_halt();
}

/* What an application left in its memory is not the next one's. */
static void clear_application(void)
{
        memset((void *)AN505_APPLICATION_RAM, 0, AN505_APPLICATION_RAM_SIZE); /* NOLINT(performance-no-int-to-ptr) */
}

int main(void)
{
        struct machine *m = &machine;
        struct boot_outcome outcome;

        isolation_init();
        console_init();
        flash_psram_init(power_cut);
        m->flash = flash_psram_port();
        const struct boot_board board = {
                .flash = &m->flash, .load = load, .lock = lock, .context = m, .power_on = start_is_power_on()
        };
        int answer = boot_start(&m->boot, &board, &outcome);
        if (answer < 0) {
                console_line(2, "the flash is not that of a provisioned device: ", relay_result_string(answer));
                start_halt();
        }
        tell_outcome(answer, &outcome);
        if (answer != BOOT_RUN && answer != BOOT_RECOVERY)
                start_halt();
        m->server.message = m->message;
        boot_server_init(&m->server, &m->boot);
        m->running = true;
        m->trying = outcome.trying;
        clear_application();
        isolation_lock();
        watchdog_start(strap(AN505_STRAP_WATCHDOG_MS), strap(AN505_STRAP_CONFIRM_MS), outcome.trying);
        start_application(AN505_APPLICATION_CODE);
}

/* ---- requests */

/* Whole, in RAM that is the application's: not secure, not a device's register, not flash. */
static bool is_buffer_of_application(void *buffer, size_t size)
{
        uintptr_t at = (uintptr_t)buffer;

        return at >= AN505_APPLICATION_RAM && size <= AN505_APPLICATION_RAM_SIZE &&
               at - AN505_APPLICATION_RAM <= AN505_APPLICATION_RAM_SIZE - size &&
               cmse_check_address_range(buffer, size, CMSE_NONSECURE | CMSE_MPU_READWRITE) != NULL;
}

static void feed_watchdog(struct machine *m)
{
        bool trying = m->boot.record.trial == BOOT_TRIAL_RUNNING;

        if (m->server.fed || trying != m->trying)
                watchdog_feed(trying);
        m->server.fed = false;
        m->trying = trying;
}

/* Of the application's own memory nothing is told that it could not find out itself. */
static size_t answer_verify(struct machine *m)
{
        struct secure_verify verify;
        struct public_key key = { .type = KEY_ED25519 };

        memcpy(&verify, m->message, sizeof(verify));
        memcpy(key.bytes, verify.key, sizeof(verify.key));
        m->message[0] = cmse_check_address_range((void *)verify.message, verify.size, CMSE_NONSECURE | CMSE_MPU_READ) &&
                        crypto_verify(&key, span_of(verify.message, verify.size), verify.signature) == RELAY_OK;
        return 1;
}

/*
 * The request is copied before it is looked at: the application's interrupts, or a device, could change it meanwhile.
 * No exception of the application comes in between, so no request begins inside another one.
 */
__attribute__((cmse_nonsecure_entry)) size_t secure_request(void *buffer, size_t size, size_t max)
{
        struct machine *m = &machine;
        size_t n = 0;

        __asm__ volatile("cpsid i" ::: "memory");
        if (size <= sizeof(m->message) && is_buffer_of_application(buffer, size > max ? size : max)) {
                memcpy(m->message, buffer, size);
                if (size == sizeof(struct secure_verify) && m->message[0] == SECURE_VERIFY)
                        n = answer_verify(m);
                else
                        n = boot_server_answer(&m->server, size);
                feed_watchdog(m);
                if (n > max)
                        n = 0;
                memcpy(buffer, m->message, n);
        }
        __asm__ volatile("cpsie i" ::: "memory");
        return n;
}
