/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plant-care, the example application: waters plants by a plan that needs no network, and tells about it. */

#include "app/application.h"
#include "examples/plant.h"

#ifndef FIRMWARE_VERSION
#        define FIRMWARE_VERSION "1.0.0"
#endif

#define HEALTHY_STEPS 5    /* of the control loop, before a new image is kept */
#define REPORT_MS     1000 /* between two reports */

struct plant_care {
        struct plant plant;
        uint64_t report_ms; /* the next one */
};

static void start(void *product, struct runtime *runtime, uint64_t now_ms)
{
        struct plant_care *care = product;

        (void)runtime;
        plant_init(&care->plant, &plant_plan_default, 450, now_ms);
        care->report_ms = now_ms;
}

static void report(const struct plant_care *care, struct runtime *runtime)
{
        uint8_t json[128];

        /* full of events to keep: the next report says what the soil is like then */
        (void)runtime_publish(runtime, OUTBOX_TELEMETRY, "soil", plant_json(&care->plant, json, sizeof(json)));
}

static uint64_t step(void *product, struct runtime *runtime, uint64_t now_ms)
{
        struct plant_care *care = product;

        plant_step(&care->plant, now_ms);
        if (now_ms >= care->report_ms) {
                report(care, runtime);
                care->report_ms = now_ms + runtime_report_ms(runtime, REPORT_MS);
        }
        return care->report_ms < care->plant.next_ms ? care->report_ms : care->plant.next_ms;
}

/* Not while the pump runs: a restart would leave it as it is. */
static bool may_restart(void *product, const char *version)
{
        const struct plant_care *care = product;

        (void)version;
        return !care->plant.pumping;
}

static bool is_healthy(void *product)
{
#ifdef FIRMWARE_BROKEN
        (void)product;
        return false; /* made for tests: this image never gets healthy */
#else
        const struct plant_care *care = product;

        return care->plant.steps >= HEALTHY_STEPS;
#endif
}

static enum command_outcome command(void *product, struct runtime *runtime, const char *name, struct span arguments,
                                    struct writer *value)
{
        struct plant_care *care = product;

        (void)runtime;
        (void)arguments;
        return plant_command(&care->plant, name, value);
}

static struct plant_care plant_care;

const struct application application = {
        .version = FIRMWARE_VERSION,
        .product = &plant_care,
        .start = start,
        .step = step,
        .may_restart = may_restart,
        .is_healthy = is_healthy,
        .command = command,
};
