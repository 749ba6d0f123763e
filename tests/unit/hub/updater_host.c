/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "updater_host.h"

#include <errno.h>
#include <stdlib.h>

#include "hub/manager.h"

static void digest_of(struct span set, uint8_t digest[SHA256_SIZE])
{
        struct cose_set decoded;

        assert_int_equal(cose_set_decode(set, &decoded), RELAY_OK);
        assert_int_equal(crypto_sha256(decoded.payload, digest), RELAY_OK);
}

struct site_policy next_policy(const struct site_policy *policy, struct span set)
{
        struct site_policy next = *policy;

        next.epoch++;
        next.has_predecessor = true;
        digest_of(set, next.predecessor);
        return next;
}

struct vendor_keys next_vendor(const struct vendor_keys *keys, struct span set)
{
        struct vendor_keys next = *keys;

        next.epoch++;
        next.has_predecessor = true;
        digest_of(set, next.predecessor);
        return next;
}

struct span host_vendor_set(uint8_t *out, size_t size, const struct vendor_keys *keys, const enum who *signers,
                            size_t count)
{
        uint8_t bytes[VENDOR_KEYS_SET_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(vendor_keys_encode(&w, keys), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), signers, count);
}

struct span host_revocation(uint8_t *out, size_t size, uint64_t epoch, const enum who *signers, size_t count)
{
        const struct revocation revocation = { .site = HOST_SITE, .epoch = epoch, .issued = 1763800000 };
        uint8_t bytes[REVOCATION_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(revocation_encode(&w, &revocation), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), signers, count);
}

static uint64_t now_s(void *context)
{
        return ((struct host *)context)->now_s;
}

static uint64_t now_ms(void *context)
{
        return ((struct host *)context)->now_ms;
}

static bool time_trusted(void *context)
{
        return ((struct host *)context)->time_trusted;
}

static bool device(void *context, const char *name, uint8_t class_id[CLASS_ID_SIZE], bool *online)
{
        struct host *h = context;
        int number = strncmp(name, "device-", 7) == 0 ? atoi(name + 7) : 0;

        if (number < 1 || number > 3 || !h->registered[number])
                return false;
        memcpy(class_id, h->class_id, CLASS_ID_SIZE);
        *online = h->online[number];
        return true;
}

static int publish(struct host_topic *topics, size_t *count, const char *topic, struct span payload)
{
        size_t i = 0;

        while (i < *count && strcmp(topics[i].topic, topic) != 0)
                i++;
        assert_true(i < HOST_TOPICS);
        assert_true(payload.size <= sizeof(topics[i].payload));
        if (i == *count)
                (*count)++;
        strcpy(topics[i].topic, topic);
        if (payload.size)
                memcpy(topics[i].payload, payload.data, payload.size);
        topics[i].size = payload.size;
        topics[i].times++;
        return 0;
}

static int publish_local(void *context, const char *topic, struct span payload)
{
        struct host *h = context;

        return publish(h->local, &h->local_count, topic, payload);
}

static int publish_cloud(void *context, const char *topic, struct span payload)
{
        struct host *h = context;

        return publish(h->cloud, &h->cloud_count, topic, payload);
}

static int watch(void *context, const char *topic)
{
        struct host *h = context;

        if (h->refuse_watches)
                return -EAGAIN;
        for (size_t i = 0; i < ROWS(h->watched); i++)
                assert_string_not_equal(h->watched[i], topic);
        for (size_t i = 0; i < ROWS(h->watched); i++) {
                if (h->watched[i][0])
                        continue;
                strcpy(h->watched[i], topic);
                return 0;
        }
        fail_msg("more than eight topics are watched");
        return -EAGAIN;
}

static void unwatch(void *context, const char *topic)
{
        struct host *h = context;

        for (size_t i = 0; i < ROWS(h->watched); i++)
                if (strcmp(h->watched[i], topic) == 0)
                        h->watched[i][0] = '\0';
}

static void alert(void *context, const char *name, enum reason reason, const char *detail)
{
        struct host *h = context;

        assert_true(detail[0] != '\0');
        assert_true(h->alert_count < HOST_ALERTS);
        strcpy(h->alerts[h->alert_count].device, name);
        snprintf(h->alerts[h->alert_count].detail, sizeof(h->alerts[0].detail), "%s", detail);
        h->alerts[h->alert_count++].reason = reason;
}

static void audit(void *context, const char *actor, enum audit_action action, const char *object, const char *detail)
{
        struct host *h = context;

        assert_true(strcmp(actor, "relay") == 0 || strcmp(actor, "uplink") == 0 || strncmp(actor, "device:", 7) == 0 ||
                    strncmp(actor, "uid:", 4) == 0);
        assert_true(action < AUDIT_ACTION_COUNT);
        assert_non_null(object);
        assert_non_null(detail);
        h->audits[action]++;
}

static void changed(void *context, const char *digest)
{
        (void)digest;
        ((struct host *)context)->changes++;
}

static void approved(void *context, const struct manifest_verified *manifest)
{
        struct host *h = context;

        h->approved++;
        memcpy(h->approved_image, manifest->fields.image_digest, SHA256_SIZE);
}

static void make_updater(struct host *h)
{
        const struct updater_host host = {
                .context = h,
                .now_s = now_s,
                .now_ms = now_ms,
                .time_trusted = time_trusted,
                .device = device,
                .publish_local = publish_local,
                .publish_cloud = publish_cloud,
                .watch = watch,
                .unwatch = unwatch,
                .alert = alert,
                .audit = audit,
                .changed = changed,
                .approved = approved,
                .gate_key = &h->gate_key,
        };
        assert_int_equal(updater_new(&h->updater, h->store, HOST_SITE, &host), 0);
        updater_start(h->updater);
}

static void make_image(struct host *h)
{
        for (size_t i = 0; i < IMAGE_SIZE; i++)
                h->image[i] = (uint8_t)(i * 7 + i / 251);
        for (uint32_t i = 0; i < image_block_count(IMAGE_SIZE); i++)
                assert_int_equal(
                        crypto_sha256(span_of(h->image + i * IMAGE_BLOCK_SIZE, image_block_size(IMAGE_SIZE, i)),
                                      h->list + i * SHA256_SIZE),
                        RELAY_OK);
}

struct host *host_new(void)
{
        const struct store_options options = { .size_max = 8 << 20 };
        struct host *h = calloc(1, sizeof(*h));
        char detail[200];

        assert_non_null(h);
        assert_int_equal(store_open(&options, &h->store, detail, sizeof(detail)), 0);
        h->now_s = 1763800000;
        h->now_ms = 1000000;
        h->time_trusted = true;
        for (int i = 1; i <= 3; i++)
                h->registered[i] = h->online[i] = true;
        memset(h->class_id, 0xc1, CLASS_ID_SIZE);
        make_image(h);
        make_updater(h);
        return h;
}

void host_free(struct host *h)
{
        updater_free(h->updater);
        store_free(h->store);
        free(h);
}

void host_restart(struct host *h)
{
        assert_int_equal(store_sync(h->store), 0);
        updater_free(h->updater);
        memset(h->watched, 0, sizeof(h->watched));
        make_updater(h);
}

void host_commit(struct host *h)
{
        int error = 0;

        store_commit(h->store);
        assert_int_equal(store_sync(h->store), 0);
        updater_durable(h->updater, store_durable(h->store, &error));
        assert_int_equal(error, 0);
}

void host_import(struct host *h)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        uint8_t out[SITE_POLICY_MAX];
        struct site_policy policy = sample_policy(3, 2);
        struct refusal refusal;

        assert_int_equal(updater_import_vendor_keys(h->updater, "uid:0", write_vendor_set(out, sizeof(out)), &refusal),
                         0);
        assert_int_equal(updater_import_site_policy(h->updater, "uid:0",
                                                    write_policy_set(out, sizeof(out), &policy, approvers, 2),
                                                    &refusal),
                         0);
}

struct manifest_fields host_fields(struct host *h, uint64_t sequence)
{
        struct manifest_fields fields = sample_manifest();

        fields.sequence = sequence;
        fields.image_size = IMAGE_SIZE;
        assert_int_equal(crypto_sha256(SPAN_OF(h->image), fields.image_digest), RELAY_OK);
        assert_int_equal(crypto_sha256(SPAN_OF(h->list), fields.block_list_digest), RELAY_OK);
        return fields;
}

struct span host_manifest(struct host *h, uint64_t sequence, uint8_t out[MANIFEST_MAX])
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };
        struct manifest_fields fields = host_fields(h, sequence);

        return write_manifest_of(out, MANIFEST_MAX, &fields, both, 2);
}

void host_digest(struct span envelope, uint8_t digest[SHA256_SIZE])
{
        struct manifest_unverified manifest;

        assert_int_equal(manifest_decode(envelope, &manifest), REASON_NONE);
        memcpy(digest, manifest.digest, SHA256_SIZE);
}

static enum reason from_cloud(struct host *h, const char *topic, struct span payload)
{
        struct topic_parts parts;

        topic_parse(span_of_string(topic), &parts);
        return updater_from_cloud(h->updater, &parts, payload);
}

enum reason host_from_cloud(struct host *h, const char *rest, struct span payload)
{
        char topic[TOPIC_MAX];

        return from_cloud(h, topic_site(topic, HOST_SITE, rest), payload);
}

const char *host_alert(struct host *h, enum reason reason)
{
        for (size_t i = h->alert_count; i-- > 0;)
                if (h->alerts[i].reason == reason)
                        return h->alerts[i].detail;
        return NULL;
}

enum reason host_offer(struct host *h, const char *name, struct span envelope)
{
        char topic[TOPIC_MAX];

        return from_cloud(h, topic_device(topic, HOST_SITE, name, "updates/offer"), envelope);
}

enum reason host_approve_as(struct host *h, const struct approval *approval, enum who approver)
{
        uint8_t out[APPROVAL_MAX];
        struct refusal refusal = { 0 };
        uint32_t approved = 0, needed = 0;
        int r = updater_approve(h->updater, "uid:1000", write_approval(out, sizeof(out), approval, approver), &approved,
                                &needed, &refusal);

        if (r == 0) {
                assert_true(approved > 0);
                assert_int_equal(needed, 2);
                return REASON_NONE;
        }
        assert_int_equal(r, MANAGER_REFUSED);
        assert_true(refusal.text[0] != '\0');
        return refusal.reason;
}

enum reason host_approve(struct host *h, struct span envelope, enum who approver)
{
        uint8_t digest[SHA256_SIZE];

        host_digest(envelope, digest);
        struct approval approval = sample_approval(digest);
        return host_approve_as(h, &approval, approver);
}

enum reason host_approve_from_cloud(struct host *h, const struct approval *approval, enum who approver)
{
        uint8_t out[APPROVAL_MAX], id[KEY_ID_SIZE];
        char topic[TOPIC_MAX];
        struct public_key key = key_of(approver);

        assert_int_equal(key_id(&key, id), RELAY_OK);
        return from_cloud(h, topic_approval(topic, HOST_SITE, approval->manifest_digest, id),
                          write_approval(out, sizeof(out), approval, approver));
}

void host_status(struct host *h, const char *name, const char *state, struct span envelope, const char *reason)
{
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1], json[400];

        host_digest(envelope, digest);
        snprintf(json, sizeof(json),
                 "{\"state\":\"%s\",\"manifest\":\"%s\",\"version\":\"1.1.0\",\"progress\":40,\"reason\":\"%s\"}",
                 state, span_to_hex(SPAN_OF(digest), hex, sizeof(hex)), reason);
        updater_from_device(h->updater, name, SPAN_LITERAL("updates/status"), span_of_string(json));
}

void host_open_gate(struct host *h, uint64_t until)
{
        struct refusal refusal;

        assert_int_equal(updater_open_gate(h->updater, "uid:0", until, &refusal), 0);
}

void host_close_gate(struct host *h)
{
        struct refusal refusal;

        assert_int_equal(updater_close_gate(h->updater, "uid:0", &refusal), 0);
}

struct span host_image_payload(struct host *h, const char *topic)
{
        struct topic_parts parts;

        topic_parse(span_of_string(topic), &parts);
        if (parts.kind == TOPIC_IMAGE_LIST)
                return SPAN_OF(h->list);
        assert_int_equal(parts.kind, TOPIC_IMAGE_BLOCK);
        return span_of(h->image + parts.index * IMAGE_BLOCK_SIZE, image_block_size(IMAGE_SIZE, parts.index));
}

void host_image_message(struct host *h, const char *topic, struct span payload)
{
        (void)from_cloud(h, topic, payload);
}

void host_serve_image(struct host *h)
{
        for (bool again = true; again;) {
                again = false;
                for (size_t i = 0; i < ROWS(h->watched); i++) {
                        char topic[TOPIC_MAX];
                        if (!h->watched[i][0])
                                continue;
                        strcpy(topic, h->watched[i]);
                        host_image_message(h, topic, host_image_payload(h, topic));
                        again = true;
                }
        }
        host_commit(h);
}

struct span host_topic_of(const struct host_topic *topics, size_t count, const char *topic)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(topics[i].topic, topic) == 0)
                        return span_of(topics[i].payload, topics[i].size);
        return SPAN_EMPTY;
}

struct span host_shown(struct host *h, const char *name)
{
        char topic[TOPIC_MAX];

        return host_topic_of(h->local, h->local_count, topic_device(topic, HOST_SITE, name, "updates/offer"));
}

const char *host_waits(struct host *h, struct span envelope, const char *name)
{
        uint8_t digest[SHA256_SIZE];
        struct manager_update_device entry;

        host_digest(envelope, digest);
        for (size_t i = 0; updater_device_at(h->updater, digest, i, &entry); i++)
                if (strcmp(entry.device, name) == 0)
                        return entry.waits_for;
        return "not offered";
}

const char *host_state(struct host *h, struct span envelope)
{
        uint8_t digest[SHA256_SIZE];
        struct manager_update view;

        host_digest(envelope, digest);
        return updater_find(h->updater, digest, &view) ? view.state : "unknown";
}

int host_setup(void **state)
{
        struct host *h = host_new();

        host_import(h);
        updater_uplink(h->updater, true);
        *state = h;
        return 0;
}

int host_teardown(void **state)
{
        host_free(*state);
        return 0;
}

void host_show_offer(struct host *h)
{
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        assert_int_equal(host_offer(h, "device-1", offer), REASON_NONE);
        assert_int_equal(host_offer(h, "device-2", offer), REASON_NONE);
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve(h, offer, APPROVER_3), REASON_NONE);
        host_serve_image(h);
        host_open_gate(h, 0);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_span_equal(host_shown(h, "device-2"), offer);
}
