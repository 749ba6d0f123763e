/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front: enhanced authentication between a client and the hub */
#include "front_lab.h"

/* What a client proves goes to the hub as it is, and takes its credit like any packet. */
static void proofs_pass_through(void **state)
{
        struct client client;

        (void)state;
        hub.asks = true;
        hub.admits = false;
        client_connect(&client);
        client_send(&client, PROVING_CONNECT);
        UNTIL(hub.opened == 1);
        hub_credit(hub.session, 1);
        hub_admit(hub.session);
        UNTIL(client_receive(&client) >= CHALLENGE.size);
        assert_true(span_equal(span_of(client.input, client.input_size), CHALLENGE));
        client.input_size = 0;
        client_send(&client, STATEMENT);
        while (sd_event_run(event, 10000) > 0)
                ;
        assert_int_equal(hub.proofs, 0);
        hub_credit(hub.session, UINT32_MAX);
        UNTIL(client_receive(&client) > 0);
        assert_int_equal(hub.proofs, 1);
        assert_memory_equal(client.input, "\x20", 1);
        publish(&client, 1);
        UNTIL(hub.publishes == 1);

        /* a client that leaves in the middle of it */
        struct client other;
        hub.admits = true;
        client_connect(&other);
        client_send(&other, PROVING_CONNECT);
        UNTIL(client_receive(&other) >= CHALLENGE.size);
        client_free(&other);
        UNTIL(hub.closed == 1);
        client_free(&client);
        UNTIL(hub.closed == 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(proofs_pass_through, setup, teardown),
        };
        return cmocka_run_group_tests_name("front_proof", tests, NULL, NULL);
}
