/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main program of every application on this board: opens the hardware, and gives the runtime time by the clock and
 * whenever something arrived. What is secret or decides about trust is asked of the secure side.
 */

#include "app/runtime.h"
#include "boot/layout.h"
#include "ports/common/boot_client.h"
#include "ports/common/tls_wolfssl.h"
#include "ports/mps2-an505/flash_psram.h"
#include "ports/mps2-an505/ns/clock.h"
#include "ports/mps2-an505/ns/entropy.h"
#include "ports/mps2-an505/ns/heap.h"
#include "ports/mps2-an505/ns/net_lwip.h"
#include "ports/mps2-an505/ns/uart.h"
#include "ports/mps2-an505/registers.h"
#include "ports/mps2-an505/veneer.h"
#include "relay/cursor.h"

#define FIGURES_MS 1000u /* memory that grew is told at most this often */

struct board {
        struct port_flash flash;
        struct boot_client boot;
        struct port_clock clock;
        struct port_entropy entropy;
        struct port_log log;
        struct port_net net;
        struct tls_wolfssl_shared tls_shared;
        struct tls_wolfssl tls;
        struct port_tls tls_port;
        struct heap_figures told;
        uint64_t tell_ms;
        bool was_online;
        uint8_t message[BOOT_MESSAGE_MAX];
};

static int exchange(void *context, uint8_t *buffer, size_t size, size_t *answered)
{
        (void)context;
        *answered = secure_request(buffer, size, BOOT_MESSAGE_MAX);
        return *answered > 0 ? 0 : PORT_E_IO;
}

static void restart(void *context)
{
        (void)context;
        *an505_register(SCS, SCS_AIRCR) = SCS_AIRCR_RESET;
}

/* Power that went on order: nothing happens any more. */
static void power_off(void *context)
{
        (void)context;
        uart_write("<2>power cut\n");
        for (;;)
                __asm__ volatile("wfi");
}

static int open_board(struct board *b)
{
        static const struct boot_transport transport = { .exchange = exchange, .reset = restart };

        clock_init();
        uart_init();
        entropy_init();
        flash_psram_init(power_off);
        b->flash = flash_psram_port();
        int r = boot_client_init(&b->boot, &transport, b->message);
        if (r < 0)
                return r;
        b->clock = clock_port();
        b->entropy = entropy_port();
        b->log = uart_log(b->boot.identity.name);
        if (net_lwip_init() < 0)
                b->log.line(b->log.context, PORT_LOG_ERROR, "no Ethernet controller: working without a network");
        b->net = net_lwip_port();
        if (tls_wolfssl_shared_init(&b->tls_shared) < 0)
                return RELAY_E_CRYPTO;
        tls_wolfssl_init(&b->tls, &b->tls_shared, &b->net, &b->boot.secret,
                         span_of(b->boot.identity.certificates, b->boot.identity.certificates_size));
        b->tls_port = tls_wolfssl_port(&b->tls);
        return 0;
}

/* 0: the default */
static uint32_t strap(uint32_t offset, uint32_t usual)
{
        uint32_t value = *an505_register(AN505_STRAPS, offset);

        return value > 0 ? value : usual;
}

static struct runtime_options options_of_straps(void)
{
        struct runtime_options set = runtime_options_default();

        set.keep_alive_s = (uint16_t)strap(AN505_STRAP_KEEP_ALIVE_S, set.keep_alive_s);
        set.report_ms = strap(AN505_STRAP_REPORT_MS, set.report_ms);
        set.failover.dwell_ms = strap(AN505_STRAP_DWELL_MS, set.failover.dwell_ms);
        set.failover.retry_most_ms = strap(AN505_STRAP_BACKOFF_MS, set.failover.retry_most_ms);
        set.gate = gate_timing_scaled(strap(AN505_STRAP_GATE_MS, set.gate.spacing_ms));
        set.update.retry_ms = strap(AN505_STRAP_RETRY_MS, set.update.retry_ms);
        set.update.settle_ms = strap(AN505_STRAP_SETTLE_MS, set.update.settle_ms);
        return set;
}

static int start_runtime(struct runtime *runtime, struct board *b)
{
        const struct port_flash *flash = &b->flash;
        const struct runtime_ports ports = {
                .identity = b->boot.identity.name,
                .class_id = b->boot.identity.class_id,
                .clock = &b->clock,
                .entropy = &b->entropy,
                .boot = &b->boot.boot,
                .tls = &b->tls_port,
                .secret = &b->boot.secret,
                .watchdog = &b->boot.watchdog,
                .log = &b->log,
                .flash = {
                        .manifests = { layout_manifest(flash, 0), layout_manifest(flash, 1) },
                        .images = { layout_image(flash, 0), layout_image(flash, 1) },
                        .list = layout_area(flash, LAYOUT_LIST),
                        .fetch = layout_area(flash, LAYOUT_FETCH),
                        .outbox = layout_area(flash, LAYOUT_OUTBOX),
                        .settings = layout_area(flash, LAYOUT_SETTINGS),
                },
        };
        const struct runtime_options options = options_of_straps();

        return runtime_init(runtime, &application, &ports, &options);
}

static void tell(struct writer *line, const char *before, size_t number)
{
        writer_bytes(line, span_of_string(before));
        json_digits(line, number);
}

/* How much memory was needed at most, and how much time: once memory grew, and when a session comes or goes. */
static void tell_figures(struct board *b, bool online)
{
        struct heap_figures now = heap_figures();
        uint64_t uptime = clock_now_ms();
        char text[128] = "";
        struct writer line;
        bool grew = now.heap_peak > b->told.heap_peak || now.stack_peak > b->told.stack_peak;

        if (online == b->was_online && (!grew || uptime < b->tell_ms))
                return;
        b->told = now;
        b->was_online = online;
        b->tell_ms = uptime + FIGURES_MS;
        writer_init(&line, text, sizeof(text) - 1);
        tell(&line, online ? "online, awake " : "not online, awake ", (size_t)(uptime - clock_slept_ms()));
        tell(&line, " ms; at most: heap ", now.heap_peak);
        tell(&line, " of ", now.heap_size);
        tell(&line, ", stack ", now.stack_peak);
        tell(&line, " of ", now.stack_size);
        b->log.line(b->log.context, PORT_LOG_DEBUG, text);
}

static int run(struct runtime *runtime, struct board *b)
{
        for (;;) {
                net_lwip_poll();
                int r = runtime_run(runtime);
                if (r < 0)
                        return r;
                tell_figures(b, runtime_is_online(runtime));
                uint64_t due = runtime_deadline(runtime), net_due = net_lwip_deadline();
                clock_sleep_until(due < net_due ? due : net_due);
        }
}

int main(void)
{
        static struct runtime runtime;
        static struct board board;

        board.log = uart_log("board"); /* until the secure side says what it is called */
        int r = open_board(&board);
        if (r == 0)
                r = start_runtime(&runtime, &board);
        if (r == 0)
                r = run(&runtime, &board);
        board.log.line(board.log.context, PORT_LOG_ERROR, relay_result_string(r));
        restart(NULL);
        return r;
}
