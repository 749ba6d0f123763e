/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Soil, pump and plan. */

#include "examples/plant.h"

#include "app/json.h"

#define SOIL_DRIES    3  /* per mille a step */
#define PUMP_WETS     40 /* per mille a step */
#define SOIL_FLOODED  900
#define REST_STEPS    50
#define STEPS_AT_ONCE 100 /* after a long pause the simulation does not replay all of it */

const struct plant_plan plant_plan_default = { .dry = 300, .wet = 600, .step_ms = 100, .pump_most = 20 };

void plant_init(struct plant *p, const struct plant_plan *plan, uint32_t moisture, uint64_t now_ms)
{
        *p = (struct plant){ .plan = *plan, .moisture = moisture, .next_ms = now_ms };
}

static void simulate_soil(struct plant *p)
{
        p->moisture = p->moisture > SOIL_DRIES ? p->moisture - SOIL_DRIES : 0;
        if (p->pumping)
                p->moisture += PUMP_WETS;
        if (p->moisture > 1000)
                p->moisture = 1000;
}

static void stop_pump(struct plant *p, uint32_t rest)
{
        p->pumping = false;
        p->rest_steps = rest;
}

static void start_pump(struct plant *p)
{
        p->pumping = true;
        p->pump_steps = 0;
        p->waterings++;
}

static void control_pump(struct plant *p)
{
        if (p->rest_steps > 0)
                p->rest_steps--;
        if (!p->pumping && p->rest_steps == 0 && p->moisture < p->plan.dry)
                start_pump(p);
        else if (p->pumping && p->moisture > p->plan.wet) {
                stop_pump(p, 0);
        } else if (p->pumping && ++p->pump_steps >= p->plan.pump_most) {
                stop_pump(p, REST_STEPS);
        }
}

bool plant_step(struct plant *p, uint64_t now_ms)
{
        bool stepped = false;

        for (unsigned i = 0; i < STEPS_AT_ONCE && p->next_ms <= now_ms; i++) {
                simulate_soil(p);
                control_pump(p);
                p->steps++;
                p->next_ms += p->plan.step_ms;
                stepped = true;
        }
        if (p->next_ms <= now_ms)
                p->next_ms = now_ms + p->plan.step_ms;
        return stepped;
}

struct span plant_json(const struct plant *p, uint8_t *out, size_t size)
{
        struct writer w;

        writer_init(&w, out, size);
        json_open(&w);
        json_uint(&w, "moisture", p->moisture);
        json_bool(&w, "pump", p->pumping);
        json_uint(&w, "waterings", p->waterings);
        json_close(&w);
        return writer_span(&w);
}

/* ---- commands */

static enum command_outcome put_on(struct plant *p, struct writer *value)
{
        if (p->rest_steps > 0) {
                writer_bytes(value, SPAN_LITERAL("the pump rests"));
                return COMMAND_OUTCOME_FAILED;
        }
        if (p->moisture > SOIL_FLOODED) { /* the plan stops the pump at each step, but somebody may insist */
                writer_bytes(value, SPAN_LITERAL("the soil is flooded"));
                return COMMAND_OUTCOME_FAILED;
        }
        if (!p->pumping)
                start_pump(p);
        return COMMAND_OUTCOME_DONE;
}

static enum command_outcome put_off(struct plant *p, struct writer *value)
{
        (void)value;
        if (p->pumping)
                stop_pump(p, 0);
        return COMMAND_OUTCOME_DONE;
}

static enum command_outcome show_plan(struct plant *p, struct writer *value)
{
        json_open(value);
        json_uint(value, "dry", p->plan.dry);
        json_uint(value, "wet", p->plan.wet);
        json_uint(value, "step_ms", p->plan.step_ms);
        json_uint(value, "pump_most", p->plan.pump_most);
        json_close(value);
        return COMMAND_OUTCOME_DONE;
}

enum command_outcome plant_command(struct plant *p, const char *name, struct writer *value)
{
        static const struct {
                const char *name;
                enum command_outcome (*run)(struct plant *p, struct writer *value);
        } commands[] = {
                { "pump.on", put_on },
                { "pump.off", put_off },
                { "plan.show", show_plan },
        };

        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (span_equal_string(span_of_string(name), commands[i].name))
                        return commands[i].run(p, value);
        return COMMAND_OUTCOME_UNKNOWN;
}
