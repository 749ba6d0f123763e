/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole hub but its bus on a store in memory, with a front end at the other end of a socket pair. */

#include "../front/identities.h"

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "channel/peer.h"
#include "hub/frontends.h"
#include "hub/manager.h"
#include "hub/manager_open.h"
#include "relay/factory.h"

#define TURNS_MAX 10000 /* of the loop, before a test gives up */

struct bench {
        struct conf conf;
        sd_event *event;
        struct store *store;
        struct manager *manager;
        struct channel_peer *front;
        bool ready, gone;
        struct {
                struct channel_message message;
                uint8_t bytes[4096];
        } received[64];
        size_t received_count, received_at;
        size_t changes, alerts;
        char last_change[80], last_alert[80];
};

static void copy_span(struct bench *b, struct span *span)
{
        uint8_t *bytes = b->received[b->received_count].bytes;

        assert_true(span->size <= sizeof(b->received[0].bytes));
        memcpy(bytes, span->data, span->size);
        span->data = bytes;
}

static int on_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        struct bench *b = context;
        struct channel_message *kept = &b->received[b->received_count].message;

        (void)peer;
        assert_true(b->received_count < 64);
        *kept = *message;
        if (message->type == CHANNEL_PACKET)
                copy_span(b, &kept->packet);
        else if (message->type == CHANNEL_REFUSE)
                copy_span(b, &kept->refuse.reason);
        else if (message->type == CHANNEL_ADMIT)
                copy_span(b, &kept->admit.identity);
        b->received_count++;
        return 0;
}

static void on_ready(struct channel_peer *peer, void *context)
{
        (void)peer;
        ((struct bench *)context)->ready = true;
}

static void on_closed(struct channel_peer *peer, int error, void *context)
{
        (void)peer, (void)error;
        ((struct bench *)context)->gone = true;
}

static const struct channel_handlers handlers = { .ready = on_ready, .message = on_message, .closed = on_closed };

static void on_changed(void *context, enum manager_change what, const char *key)
{
        struct bench *b = context;

        (void)what;
        b->changes++;
        snprintf(b->last_change, sizeof(b->last_change), "%s", key);
}

static void on_alert(void *context, const struct alert_view *alert)
{
        struct bench *b = context;

        b->alerts++;
        snprintf(b->last_alert, sizeof(b->last_alert), "%s %s", alert->device, alert->reason);
}

static void open_manager(struct bench *b)
{
        struct manager_options options = {
                .conf = &b->conf, .event = b->event, .store = b->store, .front_uid = (uid_t)-1
        };
        struct manager_listener listener = { .changed = on_changed, .alert = on_alert, .context = b };
        char error[256] = "";
        int fds[2];

        assert_int_equal(manager_new(&b->manager, &options, error, sizeof(error)), 0);
        manager_listen(b->manager, &listener);
        assert_int_equal(manager_start(b->manager), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(frontends_adopt(manager_frontends(b->manager), fds[0]), 0);
        assert_int_equal(channel_adopt(&b->front, b->event, fds[1], &handlers, b), 0);
        b->ready = b->gone = false;
        for (int i = 0; i < TURNS_MAX && !b->ready; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->ready);
}

static int setup(void **state)
{
        struct store_options store = { .size_max = 16 * 1024 * 1024 };
        struct bench *b = calloc(1, sizeof(*b));
        char detail[100];

        assert_non_null(b);
        assert_int_equal(scratch_setup(state), 0);
        b->conf = (struct conf){ .site = (char *)"s1",
                                 .country_database = (char *)"/nonexistent/country.db",
                                 .identity = (char *)"relay.s1",
                                 .roles = (char *)"roles",
                                 .device_ca = (char *)"ca.crt",
                                 .sessions_max = 2,
                                 .store_size_max = 1 << 24 };
        make_identity("ca", 1, NULL, (struct x509_request){ .common_name = "factory.acme", .ca = true });
        make_identity("device-1", 2, "ca", (struct x509_request){ .common_name = "device-1", .for_client = true });
        make_identity("device-2", 3, NULL, (struct x509_request){ .common_name = "device-2", .for_client = true });
        make_identity("app.test", 4, NULL, (struct x509_request){ .common_name = "app.test", .for_client = true });
        assert_int_equal(shell("mkdir roles; printf '[role]\\nfingerprint = %s\\nread = #\\nwrite = #\\n' "
                               "$(openssl x509 -in app.test.crt -pubkey -noout | openssl pkey -pubin -outform DER | "
                               "sha256sum | cut -d' ' -f1) > roles/app.test.conf"),
                         0);
        assert_int_equal(sd_event_new(&b->event), 0);
        assert_int_equal(store_open(&store, &b->store, detail, sizeof(detail)), 0);
        open_manager(b);
        *state = b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        channel_peer_free(b->front);
        manager_free(b->manager);
        store_free(b->store);
        sd_event_unref(b->event);
        free(b);
        return scratch_teardown(state);
}

static void send_open(struct bench *b, uint32_t session, const char *name)
{
        struct channel_message message = { .type = CHANNEL_OPEN, .session = session };
        uint8_t *der = NULL;
        size_t size;
        char path[40];

        snprintf(path, sizeof(path), "%s.crt", name);
        assert_int_equal(x509_load_pem(path, &der, &size), 0);
        message.open.peer = SPAN_LITERAL("192.0.2.7:40112");
        message.open.certificate_count = 1;
        message.open.certificates[0] = span_of(der, size);
        assert_int_equal(channel_send(b->front, &message), 0);
        free(der);
}

static void send_packet(struct bench *b, uint32_t session, const struct mqtt_packet *packet)
{
        struct channel_message message = { .type = CHANNEL_PACKET, .session = session };
        uint8_t bytes[4096];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        message.packet = writer_span(&w);
        assert_int_equal(channel_send(b->front, &message), 0);
}

/* The hub's next message. */
static struct channel_message *next(struct bench *b)
{
        for (int i = 0; i < TURNS_MAX && b->received_at == b->received_count; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->received_at < b->received_count);
        return &b->received[b->received_at++].message;
}

/* Until the loop has nothing to do. */
static void settle(struct bench *b)
{
        for (int i = 0; i < TURNS_MAX && sd_event_run(b->event, 0) > 0; i++)
                ;
}

static void expect_refusal(struct bench *b, uint32_t session, const char *name, enum reason reason)
{
        const struct channel_message *message;

        send_open(b, session, name);
        message = next(b);
        assert_int_equal(message->type, CHANNEL_REFUSE);
        assert_int_equal(message->session, session);
        assert_true(span_equal_string(message->refuse.reason, reason_name(reason)));
}

static void expect_packet(struct bench *b, uint32_t session, enum mqtt_type type, struct mqtt_packet *packet)
{
        const struct channel_message *message = next(b);
        size_t consumed;
        uint8_t reason;

        assert_int_equal(message->type, CHANNEL_PACKET);
        assert_int_equal(message->session, session);
        assert_int_equal(mqtt_decode(message->packet, MQTT_V5, CHANNEL_PACKET_MAX, packet, &consumed, &reason), 0);
        assert_int_equal(packet->type, type);
}

static void connect_as(struct bench *b, uint32_t session, const char *name, enum channel_peer_kind kind)
{
        struct mqtt_packet packet = { .type = MQTT_CONNECT };
        const struct channel_message *message;

        send_open(b, session, name);
        message = next(b);
        assert_int_equal(message->type, CHANNEL_ADMIT);
        assert_int_equal(message->admit.kind, kind);
        assert_true(span_equal_string(message->admit.identity, name));
        packet.connect.version = MQTT_V5;
        packet.connect.clean_start = true;
        packet.connect.client_id = span_of_string(name);
        send_packet(b, session, &packet);
        expect_packet(b, session, MQTT_CONNACK, &packet);
        assert_int_equal(packet.ack.reason, MQTT_SUCCESS);
}

static void pending_admitted_revoked(void **state)
{
        struct bench *b = *state;
        struct refusal refusal;
        struct device_view view;

        expect_refusal(b, 1, "device-2", REASON_PENDING_DEVICE);
        settle(b);
        assert_string_equal(b->last_alert, "device-2 pending-device");
        assert_true(manager_find_device(b->manager, "device-2", &view));
        assert_int_equal(view.registration, REGISTRATION_PENDING);
        assert_int_equal(strlen(view.fingerprint), 64);
        assert_int_equal(manager_admit_device(b->manager, "uid:0", "nobody", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_DEVICE);
        assert_int_equal(manager_admit_device(b->manager, "uid:0", "device-2", &refusal), 0);
        connect_as(b, 2, "device-2", CHANNEL_PEER_DEVICE);
        assert_true(manager_find_device(b->manager, "device-2", &view));
        assert_true(view.online);
        assert_string_equal(view.peer, "192.0.2.7:40112");
        assert_int_equal(manager_revoke_device(b->manager, "uid:0", "device-2", "stolen", &refusal), 0);
        assert_int_equal(next(b)->type, CHANNEL_CLOSE);
        expect_refusal(b, 3, "device-2", REASON_REVOKED_DEVICE);
        settle(b);
        assert_true(manager_find_device(b->manager, "device-2", &view));
        assert_false(view.online);
}

/* The key of the list counts, not the name. */
static void imported_list(void **state)
{
        struct bench *b = *state;
        const uint8_t vendor[VENDOR_ID_SIZE] = { 7 }, seeds[2][ED25519_SEED_SIZE] = { { 2 }, { 99 } };
        struct factory_device devices[2] = { { .identity = "device-1" }, { .identity = "device-2" } };
        struct refusal refusal;
        uint8_t bytes[500];
        uint32_t added, known;
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        factory_put_list(&w, vendor, 2, 0);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(crypto_ed25519_public(seeds[i], &devices[i].key), RELAY_OK);
                factory_put_device(&w, &devices[i]);
        }
        assert_int_equal(manager_import_devices(b->manager, "uid:0", writer_span(&w), &added, &known, &refusal), 0);
        assert_int_equal(added, 2);
        assert_int_equal(manager_import_devices(b->manager, "uid:0", writer_span(&w), &added, &known, &refusal), 0);
        assert_int_equal(known, 2);
        assert_int_equal(manager_import_devices(b->manager, "uid:0", span_slice(writer_span(&w), 0, 50), &added, &known,
                                                &refusal),
                         MANAGER_REFUSED);
        connect_as(b, 1, "device-1", CHANNEL_PEER_DEVICE);
        expect_refusal(b, 2, "device-2", REASON_FOREIGN_CERTIFICATE);
}

static void straight_path(void **state)
{
        struct bench *b = *state;
        struct mqtt_packet packet = { .type = MQTT_SUBSCRIBE };
        struct mqtt_filter filter = { .filter = SPAN_LITERAL("sites/s1/devices/#"), .qos = 1 };
        const char *topic = "sites/s1/devices/device-2/state/relay";
        struct device_view view;
        struct refusal refusal;
        uint8_t bytes[100];
        struct writer w;

        expect_refusal(b, 1, "device-2", REASON_PENDING_DEVICE);
        assert_int_equal(manager_admit_device(b->manager, "uid:0", "device-2", &refusal), 0);
        connect_as(b, 2, "device-2", CHANNEL_PEER_DEVICE);
        connect_as(b, 3, "app.test", CHANNEL_PEER_APPLICATION);
        writer_init(&w, bytes, sizeof(bytes));
        mqtt_filter_put(&w, &filter, true);
        packet.subscribe = (struct mqtt_subscribe){ 1, writer_span(&w), 1 };
        send_packet(b, 3, &packet);
        expect_packet(b, 3, MQTT_SUBACK, &packet);
        packet = (struct mqtt_packet){ .type = MQTT_PUBLISH };
        packet.publish = (struct mqtt_publish){
                .qos = 1, .packet_id = 5, .topic = span_of_string(topic), .retain = true
        };
        packet.publish.payload = SPAN_LITERAL("{\"online\":true,\"version\":\"1.0.0\",\"image\":\"ab\",\"boot\":12,"
                                              "\"session\":3}");
        send_packet(b, 2, &packet);
        expect_packet(b, 3, MQTT_PUBLISH, &packet);
        assert_true(span_equal_string(packet.publish.topic, topic));
        expect_packet(b, 2, MQTT_PUBACK, &packet);
        assert_true(manager_find_device(b->manager, "device-2", &view));
        assert_string_equal(view.version, "1.0.0");
        assert_int_equal(view.boot, 12);
        settle(b);
        assert_string_equal(b->last_change, "device-2");
        /* one session more than sessions_max */
        expect_refusal(b, 4, "app.test", REASON_TOO_MANY_SESSIONS);
}

/* Changes that follow each other closely are told together, after a while: none is lost, and the last one counts. */
static void every_change_is_told(void **state)
{
        struct bench *b = *state;
        struct refusal refusal;

        expect_refusal(b, 1, "device-2", REASON_PENDING_DEVICE);
        settle(b);
        assert_string_equal(b->last_change, "device-2");
        size_t told = b->changes;
        assert_int_equal(manager_admit_device(b->manager, "uid:0", "device-2", &refusal), 0);
        for (int i = 0; i < TURNS_MAX && b->changes == told; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->changes > told);
        assert_string_equal(b->last_change, "device-2");
}

static void strangers(void **state)
{
        struct bench *b = *state;
        struct channel_message message = { .type = CHANNEL_OPEN, .session = 9 };
        const uint8_t garbage[] = { 0x30, 0x03, 1, 2, 3 };

        message.open.peer = SPAN_LITERAL("peer");
        message.open.certificate_count = 1;
        message.open.certificates[0] = SPAN_OF(garbage);
        assert_int_equal(channel_send(b->front, &message), 0);
        assert_int_equal(next(b)->type, CHANNEL_REFUSE);
        make_identity("app.other", 20, "ca", (struct x509_request){ .common_name = "app.other", .for_client = true });
        expect_refusal(b, 1, "app.other", REASON_UNKNOWN_DEVICE);
        make_identity("app.test2", 21, "ca", (struct x509_request){ .common_name = "app.test", .for_client = true });
        expect_refusal(b, 2, "app.test2", REASON_FOREIGN_CERTIFICATE);
        make_identity("upper", 22, "ca", (struct x509_request){ .common_name = "Device-1", .for_client = true });
        expect_refusal(b, 3, "upper", REASON_BAD_IDENTITY);
}

static void role_taken_away(void **state)
{
        struct bench *b = *state;
        const struct channel_message *message;

        connect_as(b, 1, "app.test", CHANNEL_PEER_APPLICATION);
        manager_reload(b->manager);
        settle(b);
        assert_int_equal(b->received_at, b->received_count);
        assert_int_equal(shell("rm roles/app.test.conf"), 0);
        manager_reload(b->manager);
        message = next(b);
        assert_int_equal(message->type, CHANNEL_CLOSE);
        assert_int_equal(message->close.mqtt_reason, MQTT_NOT_AUTHORIZED);
}

static int count_record(void *context, uint64_t number, struct span record)
{
        uint64_t *count = context;

        assert_int_equal(number, ++*count);
        assert_true(record.size > 0);
        return 0;
}

static int count_alert(void *context, const struct alert_view *alert)
{
        ++*(uint64_t *)context;
        assert_true(alert->number > 0);
        return 0;
}

static void everything_is_there_after_a_restart(void **state)
{
        struct bench *b = *state;
        struct refusal refusal;
        struct device_view view;
        uint64_t records = 0, alerts = 0;

        expect_refusal(b, 1, "device-2", REASON_PENDING_DEVICE);
        assert_int_equal(manager_admit_device(b->manager, "uid:0", "device-2", &refusal), 0);
        settle(b);
        b->front = channel_peer_free(b->front);
        b->manager = manager_free(b->manager);
        assert_int_equal(store_sync(b->store), 0);
        open_manager(b);
        assert_true(manager_find_device(b->manager, "device-2", &view));
        assert_int_equal(view.registration, REGISTRATION_REGISTERED);
        connect_as(b, 1, "device-2", CHANNEL_PEER_DEVICE);
        settle(b);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(manager_walk_audit(b->manager, 0, 100, count_record, &records), 0);
        assert_int_equal(records, 4); /* started, pending, admitted, started */
        assert_int_equal(manager_walk_alerts(b->manager, 0, count_alert, &alerts), 0);
        assert_int_equal(alerts, 1);
}

static void broken_front_end(void **state)
{
        struct bench *b = *state;
        struct channel_message message = { .type = CHANNEL_ADMIT, .session = 1 };

        connect_as(b, 1, "app.test", CHANNEL_PEER_APPLICATION);
        message.admit.identity = SPAN_LITERAL("app.test");
        message.admit.kind = CHANNEL_PEER_APPLICATION;
        channel_send(b->front, &message); /* the hub's own word: such a front end is cut off */
        for (int i = 0; i < TURNS_MAX && !b->gone; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->gone);
        assert_int_equal(frontends_sessions(manager_frontends(b->manager)), 0);
}

static void set_country(struct bench *b, const char *name, const char *value)
{
        const struct country_change change = { name, value };
        const struct country_caller who = { .caller = "uid:0" };
        struct refusal refusal;

        assert_int_equal(manager_set_country(b->manager, &who, &change, 1, 0, &refusal), 0);
}

/* The peer of these tests is at 192.0.2.7; there is no database, so what a rule would judge is refused. */
static void the_country_policy_stands_before_the_certificate(void **state)
{
        struct bench *b = *state;

        set_country(b, "inbound", "deny RU unknown=accept");
        expect_refusal(b, 1, "device-1", REASON_NO_COUNTRY_DATABASE);
        expect_refusal(b, 2, "app.test", REASON_NO_COUNTRY_DATABASE);
        set_country(b, "exempt", "+192.0.2.0/24");
        connect_as(b, 3, "app.test", CHANNEL_PEER_APPLICATION);
        set_country(b, "exempt", "-192.0.2.0/24");
        settle(b);
        assert_int_equal(frontends_sessions(manager_frontends(b->manager)), 0); /* judged again */
}

/* The front end died just now: the hub, on its way out as well, still has messages for it. */
static void front_end_gone_at_the_end(void **state)
{
        struct bench *b = *state;

        connect_as(b, 1, "app.test", CHANNEL_PEER_APPLICATION);
        b->front = channel_peer_free(b->front);
        for (int i = 0; i < 2; i++)
                manager_stop(b->manager); /* the second time there is none any more */
        assert_int_equal(frontends_sessions(manager_frontends(b->manager)), 0);
}

static void say_something(void *context, struct front_session *session)
{
        static const uint8_t pingresp[] = { 0xd0, 0 };

        (void)context;
        frontends_send(&session->link, SPAN_OF(pingresp));
}

static void front_end_gone_before_the_last_word(void **state)
{
        struct bench *b = *state;

        connect_as(b, 1, "app.test", CHANNEL_PEER_APPLICATION);
        b->front = channel_peer_free(b->front);
        frontends_walk(manager_frontends(b->manager), say_something, b);
        b->manager = manager_free(b->manager);
        open_manager(b);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(pending_admitted_revoked),
                test(imported_list),
                test(straight_path),
                test(every_change_is_told),
                test(strangers),
                test(role_taken_away),
                test(everything_is_there_after_a_restart),
                test(broken_front_end),
                test(the_country_policy_stands_before_the_certificate),
                test(front_end_gone_at_the_end),
                test(front_end_gone_before_the_last_word),
        };
        return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
