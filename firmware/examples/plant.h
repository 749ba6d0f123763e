/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Plant care, the example application: soil that dries, a pump, a watering plan that runs by itself.
 * Its control loop is plant_step(), a pure function of time: it knows no network and waits for nothing.
 */

#include "app/command.h"

struct plant_plan {
        uint32_t dry;       /* per mille of moisture: the pump starts below */
        uint32_t wet;       /* the pump stops above */
        uint32_t step_ms;   /* period of the control loop */
        uint32_t pump_most; /* steps the pump may run in one go: a stuck sensor floods nothing */
};
extern const struct plant_plan plant_plan_default;

struct plant {
        struct plant_plan plan;
        uint32_t moisture; /* per mille */
        bool pumping;
        uint32_t pump_steps; /* of this watering */
        uint32_t rest_steps; /* left after a watering that ran into pump_most */
        uint64_t waterings, steps;
        uint64_t next_ms;
};

/* moisture: 0 to 1000, of the simulated soil; plan is copied; the first step is due at now_ms (monotonic) */
void plant_init(struct plant *p, const struct plant_plan *plan, uint32_t moisture, uint64_t now_ms);
/* Runs all steps due until now_ms; true if there was one. */
bool plant_step(struct plant *p, uint64_t now_ms);
/* {"moisture":512,"pump":false,"waterings":3} into out; empty if it does not fit */
struct span plant_json(const struct plant *p, uint8_t *out, size_t size);
/*
 * A command: pump.on (fails in flooded soil, and while the pump rests after a watering that ran too long), pump.off,
 * plan.show. The plan goes on either way: it stops a pump that was put on, and starts one that was put off when the
 * soil is dry.
 */
enum command_outcome plant_command(struct plant *p, const char *name, struct writer *value);
