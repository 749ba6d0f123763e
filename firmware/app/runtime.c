/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runtime: application, device engine, update agent and commands put together. */

#include "app/runtime.h"

#include <string.h>

#include "app/json.h"

#define FEED_MS 1000 /* the watchdog, at most this often */

struct runtime_options runtime_options_default(void)
{
        return (struct runtime_options){
                .keep_alive_s = 30,
                .failover = failover_timing_default,
                .gate = gate_timing_default,
                .update = update_timing_default,
        };
}

uint64_t runtime_now(const struct runtime *runtime)
{
        return runtime->ports.clock->now_ms(runtime->ports.clock->context);
}

/* ---- the product, if it has an opinion */

static bool may_restart(void *context, const char *version)
{
        const struct runtime *runtime = context;
        const struct application *app = runtime->application;

        return !app->may_restart || app->may_restart(app->product, version);
}

static bool is_healthy(const struct runtime *runtime)
{
        const struct application *app = runtime->application;

        return !app->is_healthy || app->is_healthy(app->product);
}

static enum command_outcome run_command(void *context, const char *name, struct span arguments, struct writer *value)
{
        struct runtime *runtime = context;
        const struct application *app = runtime->application;
        struct span called = span_of_string(name);

        if (span_equal_string(called, "diagnostics.uptime")) {
                json_digits(value, (runtime_now(runtime) - runtime->started_ms) / 1000);
                return COMMAND_OUTCOME_DONE;
        }
        if (span_equal_string(called, "diagnostics.version")) {
                writer_bytes(value, span_of_string(app->version));
                return COMMAND_OUTCOME_DONE;
        }
        if (!app->command)
                return COMMAND_OUTCOME_UNKNOWN;
        return app->command(app->product, runtime, name, arguments, value);
}

/* ---- start */

static int open_update(struct runtime *runtime, const struct runtime_options *options)
{
        const struct runtime_ports *ports = &runtime->ports;
        const struct runtime_flash *flash = &ports->flash;
        struct update_config config = {
                .device = ports->identity,
                .version = runtime->application->version,
                .vendor = &runtime->device.vendor,
                .policy = &runtime->device.policy,
                .gate = &runtime->device.gate,
                .boot = ports->boot,
                .manifests = { flash->manifests[0], flash->manifests[1] },
                .images = { flash->images[0], flash->images[1] },
                .list = flash->list,
                .fetch = flash->fetch,
                .timing = options->update,
                .consent = may_restart,
                .context = runtime,
        };

        memcpy(config.class_id, ports->class_id, CLASS_ID_SIZE);
        return update_init(&runtime->update, &config, runtime_now(runtime));
}

static int open_commands(struct runtime *runtime)
{
        struct commands_config config = {
                .device = runtime->ports.identity,
                .class_id = runtime->ports.class_id,
                .policy = &runtime->device.policy,
                .vendor = &runtime->device.vendor,
                .counters = runtime->ports.flash.settings,
                .run = run_command,
                .context = runtime,
        };
        return commands_init(&runtime->commands, &config);
}

static int open_device(struct runtime *runtime, const struct runtime_options *options)
{
        const struct runtime_ports *ports = &runtime->ports;
        bool recovery = runtime->update.boot.recovery;
        struct device_config config = {
                .identity = ports->identity,
                .version = runtime->application->version,
                .tls = ports->tls,
                .clock = ports->clock,
                .boot = ports->boot,
                .entropy = ports->entropy,
                .secret = ports->secret,
                .log = ports->log,
                .outbox = recovery ? NULL : &runtime->outbox,
                .update = &runtime->update,
                .commands = recovery ? NULL : &runtime->commands,
                .carrier = options->carrier,
                .keep_alive_s = options->keep_alive_s,
                .timing = options->failover,
                .gate_timing = options->gate,
        };

        memcpy(config.class_id, ports->class_id, CLASS_ID_SIZE);
        return device_init(&runtime->device, &config);
}

int runtime_init(struct runtime *runtime, const struct application *app, const struct runtime_ports *ports,
                 const struct runtime_options *options)
{
        memset(runtime, 0, sizeof(*runtime));
        runtime->application = app;
        runtime->ports = *ports;
        runtime->report_ms = options->report_ms;
        runtime->started_ms = runtime->step_ms = runtime_now(runtime);

        int r = open_update(runtime, options);
        bool recovery = runtime->update.boot.recovery;
        if (r == 0 && !recovery)
                r = outbox_mount(&runtime->outbox, &ports->flash.outbox);
        if (r == 0 && !recovery)
                r = open_commands(runtime);
        if (r == 0)
                r = open_device(runtime, options);
        runtime->confirmed = runtime->update.boot.confirmed;
        if (r == 0 && app->start)
                app->start(app->product, runtime, runtime->started_ms);
        return r < 0 ? r : runtime->failure;
}

/* ---- rounds */

static void feed_watchdog(struct runtime *runtime, uint64_t now)
{
        const struct port_watchdog *watchdog = runtime->ports.watchdog;

        if (!watchdog || (runtime->fed && now - runtime->fed_ms < FEED_MS))
                return;
        runtime->fed = true;
        runtime->fed_ms = now;
        watchdog->feed(watchdog->context);
}

static void run_product(struct runtime *runtime, uint64_t now)
{
        const struct application *app = runtime->application;

        runtime->step_ms = app->step ? app->step(app->product, runtime, now) : UINT64_MAX;
}

static int maybe_confirm(struct runtime *runtime)
{
        if (runtime->confirmed || runtime->update.boot.recovery || !device_is_online(&runtime->device) ||
            !is_healthy(runtime))
                return 0;
        runtime->confirmed = true;
        return device_confirm(&runtime->device);
}

int runtime_run(struct runtime *runtime)
{
        uint64_t now = runtime_now(runtime);

        feed_watchdog(runtime, now);
        run_product(runtime, now);
        int r = runtime->failure;
        if (r == 0)
                r = device_run(&runtime->device);
        return r == 0 ? maybe_confirm(runtime) : r;
}

uint64_t runtime_deadline(const struct runtime *runtime)
{
        uint64_t best = device_deadline(&runtime->device);

        if (runtime->step_ms < best)
                best = runtime->step_ms;
        if (runtime->ports.watchdog && runtime->fed_ms + FEED_MS < best)
                best = runtime->fed_ms + FEED_MS;
        return best;
}

/* ---- for the product */

int runtime_publish(struct runtime *runtime, enum outbox_class class, const char *name, struct span payload)
{
        int r = device_publish(&runtime->device, class, span_of_string(name), payload);

        if (r < 0 && r != RELAY_E_SPACE && r != RELAY_E_RANGE && r != RELAY_E_STATE)
                runtime->failure = r;
        return r;
}

bool runtime_time(const struct runtime *runtime, uint64_t *unix_s)
{
        return gate_time(&runtime->device.gate, runtime_now(runtime), unix_s);
}

bool runtime_is_online(const struct runtime *runtime)
{
        return device_is_online(&runtime->device);
}

uint32_t runtime_report_ms(const struct runtime *runtime, uint32_t usual_ms)
{
        return runtime->report_ms > 0 ? runtime->report_ms : usual_ms;
}

void runtime_log(const struct runtime *runtime, const char *text)
{
        if (runtime->ports.log)
                runtime->ports.log->line(runtime->ports.log->context, PORT_LOG_INFO, text);
}
