/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plant care: the plan runs by itself, commands or not. */
#include "unit.h"

#include "examples/plant.h"

static struct plant plant;
static char value[COMMANDS_VALUE_MAX + 1];

static int setup(void **state)
{
        (void)state;
        plant_init(&plant, &plant_plan_default, 450, 0);
        return 0;
}

static enum command_outcome command(const char *name)
{
        struct writer w;

        writer_init(&w, value, sizeof(value) - 1);
        enum command_outcome outcome = plant_command(&plant, name, &w);
        assert_int_equal(writer_finish(&w), RELAY_OK);
        value[writer_span(&w).size] = '\0';
        return outcome;
}

static void test_pump(void **state)
{
        (void)state;
        assert_int_equal(command("pump.on"), COMMAND_OUTCOME_DONE);
        assert_true(plant.pumping);
        assert_int_equal(command("pump.on"), COMMAND_OUTCOME_DONE);
        assert_int_equal(plant.waterings, 1);
        assert_int_equal(command("pump.off"), COMMAND_OUTCOME_DONE);
        assert_false(plant.pumping);
        assert_int_equal(command("pump.off"), COMMAND_OUTCOME_DONE);
}

/* however often somebody puts it on or off */
static void test_plan_goes_on(void **state)
{
        (void)state;
        for (uint64_t now = 0; now < 600000; now += 100) {
                (void)command("pump.on");
                plant_step(&plant, now);
                assert_true(plant.moisture <= 950);
        }
        for (uint64_t now = 600000; now < 1200000; now += 100) {
                (void)command("pump.off");
                plant_step(&plant, now);
        }
        assert_true(plant.moisture < plant_plan_default.dry); /* obeyed each time, for one step */
        for (uint64_t now = 1200000; now < 1210000; now += 100)
                plant_step(&plant, now);
        assert_true(plant.moisture >= plant_plan_default.dry); /* and left alone, the plan waters */
}

static void test_resting_pump(void **state)
{
        (void)state;
        plant.rest_steps = 10;
        assert_int_equal(command("pump.on"), COMMAND_OUTCOME_FAILED);
        assert_string_equal(value, "the pump rests");
        assert_false(plant.pumping);
}

static void test_show_and_unknown(void **state)
{
        (void)state;
        assert_int_equal(command("plan.show"), COMMAND_OUTCOME_DONE);
        assert_string_equal(value, "{\"dry\":300,\"wet\":600,\"step_ms\":100,\"pump_most\":20}");
        assert_int_equal(command("pump"), COMMAND_OUTCOME_UNKNOWN);
        assert_int_equal(command("pump.on.now"), COMMAND_OUTCOME_UNKNOWN);
        assert_int_equal(command(""), COMMAND_OUTCOME_UNKNOWN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_pump, setup),
                cmocka_unit_test_setup(test_plan_goes_on, setup),
                cmocka_unit_test_setup(test_resting_pump, setup),
                cmocka_unit_test_setup(test_show_and_unknown, setup),
        };
        return cmocka_run_group_tests_name("plant", tests, NULL, NULL);
}
