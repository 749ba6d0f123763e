/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed commands on their way to devices; see commands.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/command_record.h"
#include "hub/commands.h"
#include "hub/flat_json.h"

#define UNSEALED   UINT64_MAX
#define DETAIL_MAX 200

struct counter {
        struct table_entry entry;
        char device[IDENTITY_MAX + 1];
        uint8_t key[SHA256_SIZE], digest[SHA256_SIZE];
        uint64_t last;
};

struct waiting_command {
        struct waiting_command *next, *previous;
        uint64_t number, commit; /* commit: the one that makes it durable; 0: it is */
        char device[IDENTITY_MAX + 1];
        uint8_t key[SHA256_SIZE];
        uint64_t counter, expiry;
        bool handed; /* in this session of the device */
        char name[COMMAND_NAME_SIZE];
        size_t size;
        uint8_t sign1[];
};

/* ---- counters */
static uint64_t counter_hash(const char *device, const uint8_t key[SHA256_SIZE])
{
        return table_hash(span_of_string(device)) ^ table_hash(span_of(key, SHA256_SIZE));
}

struct counter_key {
        const char *device;
        const uint8_t *key;
};

static bool counter_equal(const struct table_entry *entry, const void *key)
{
        const struct counter *c = container_of(entry, const struct counter, entry);
        const struct counter_key *wanted = key;

        return strcmp(c->device, wanted->device) == 0 && memcmp(c->key, wanted->key, SHA256_SIZE) == 0;
}

static struct counter *find_counter(const struct commands *c, const char *device, const uint8_t key[SHA256_SIZE])
{
        struct counter_key wanted = { device, key };
        struct table_entry *e = table_find(&c->counters, counter_hash(device, key), counter_equal, &wanted);

        return e ? container_of(e, struct counter, entry) : NULL;
}

static struct counter *make_counter(struct commands *c, const char *device, const uint8_t key[SHA256_SIZE])
{
        struct counter *counter = find_counter(c, device, key);

        if (counter)
                return counter;
        counter = calloc(1, sizeof(*counter));
        if (!counter)
                return NULL;
        snprintf(counter->device, sizeof(counter->device), "%s", device);
        memcpy(counter->key, key, SHA256_SIZE);
        if (table_insert(&c->counters, &counter->entry, counter_hash(device, key)) == 0)
                return counter;
        free(counter);
        return NULL;
}

uint64_t commands_counter(const struct commands *c, const char *device, const uint8_t id[KEY_ID_SIZE])
{
        uint64_t last = 0;

        for (struct table_entry *e = table_next(&c->counters, NULL); e; e = table_next(&c->counters, e)) {
                const struct counter *counter = container_of(e, const struct counter, entry);
                if (strcmp(counter->device, device) == 0 && memcmp(counter->key, id, KEY_ID_SIZE) == 0 &&
                    counter->last > last)
                        last = counter->last;
        }
        return last;
}

/* ---- the list of those that wait */
static struct waiting_command *append(struct commands *c, const struct command_record *record)
{
        struct waiting_command *w = calloc(1, sizeof(*w) + record->sign1.size);

        if (!w)
                return NULL;
        w->number = record->number;
        w->counter = record->command.counter;
        w->expiry = record->command.expiry;
        w->size = record->sign1.size;
        snprintf(w->device, sizeof(w->device), "%s", record->device);
        snprintf(w->name, sizeof(w->name), "%s", record->command.name);
        memcpy(w->key, record->key, SHA256_SIZE);
        memcpy(w->sign1, record->sign1.data, record->sign1.size);
        w->previous = c->last;
        if (c->last)
                c->last->next = w;
        else
                c->first = w;
        c->last = w;
        c->count++;
        return w;
}

static void drop(struct commands *c, struct waiting_command *w)
{
        if (w->previous)
                w->previous->next = w->next;
        else
                c->first = w->next;
        if (w->next)
                w->next->previous = w->previous;
        else
                c->last = w->previous;
        c->count--;
        free(w);
}

static size_t count_waiting(const struct commands *c, const char *device)
{
        size_t count = 0;

        for (const struct waiting_command *w = c->first; w; w = w->next)
                count += strcmp(w->device, device) == 0;
        return count;
}

/* ---- life */
static int load_one(void *context, struct span key, struct span value)
{
        struct commands *c = context;
        struct command_record record;

        if (command_record_decode(key, value, &record) != RELAY_OK)
                return -EBADMSG;
        if (record.kind == COMMAND_RECORD_COUNTER) {
                struct counter *counter = make_counter(c, record.device, record.key);
                if (!counter)
                        return -ENOMEM;
                counter->last = record.counter;
                memcpy(counter->digest, record.digest, SHA256_SIZE);
                return 0;
        }
        if (record.number >= c->next_number)
                c->next_number = record.number + 1;
        return append(c, &record) ? 0 : -ENOMEM;
}

int commands_load(struct commands *c, struct store *store, const struct commands_host *host)
{
        int result;

        *c = (struct commands){ .store = store, .host = *host, .next_number = 1 };
        result = store_walk(store, STORE_COMMANDS, SPAN_EMPTY, load_one, c);
        if (result < 0)
                commands_release(c);
        return result;
}

void commands_release(struct commands *c)
{
        while (c->first)
                drop(c, c->first);
        for (struct table_entry *e = table_next(&c->counters, NULL); e; e = table_next(&c->counters, NULL)) {
                table_remove(&c->counters, e);
                free(container_of(e, struct counter, entry));
        }
        table_release(&c->counters);
}

/* ---- the store's side */
static int put(struct commands *c, const struct command_record *record)
{
        uint8_t key[COMMAND_RECORD_KEY_MAX], value[COMMAND_RECORD_MAX];
        struct writer k, v;

        writer_init(&k, key, sizeof(key));
        writer_init(&v, value, sizeof(value));
        command_record_put_key(&k, record);
        command_record_put_value(&v, record);
        return store_put(c->store, STORE_COMMANDS, writer_span(&k), writer_span(&v));
}

/* A delete that fails leaves a record that ends with the next start: by its expiry at the latest. */
static void forget(struct commands *c, struct waiting_command *w)
{
        struct command_record record = { .kind = COMMAND_RECORD_WAITING, .number = w->number };
        uint8_t key[COMMAND_RECORD_KEY_MAX];
        struct writer k;

        snprintf(record.device, sizeof(record.device), "%s", w->device);
        writer_init(&k, key, sizeof(key));
        command_record_put_key(&k, &record);
        (void)store_delete(c->store, STORE_COMMANDS, writer_span(&k));
        drop(c, w);
}

static enum reason keep(struct commands *c, struct command_record *waiting, const uint8_t digest[SHA256_SIZE])
{
        struct command_record last = { .kind = COMMAND_RECORD_COUNTER, .counter = waiting->command.counter };
        struct counter *counter = make_counter(c, waiting->device, waiting->key);
        struct waiting_command *w = counter ? append(c, waiting) : NULL;
        int result;

        if (!w)
                return REASON_STORE_FAILED;
        snprintf(last.device, sizeof(last.device), "%s", waiting->device);
        memcpy(last.key, waiting->key, SHA256_SIZE);
        memcpy(last.digest, digest, SHA256_SIZE);
        result = put(c, waiting);
        if (result == 0)
                result = put(c, &last);
        if (result < 0) {
                forget(c, w); /* both or none */
                return result == -ENOSPC ? REASON_STORE_FULL : REASON_STORE_FAILED;
        }
        w->commit = UNSEALED;
        counter->last = last.counter;
        memcpy(counter->digest, digest, SHA256_SIZE);
        return REASON_NONE;
}

/* ---- the end of a command */
static void end(struct commands *c, struct waiting_command *w, const char *actor, const char *result,
                const char *reason, struct span value)
{
        struct command_end_view what = {
                .device = w->device, .counter = w->counter, .result = result, .reason = reason
        };
        char detail[DETAIL_MAX];

        what.value = value;
        memcpy(what.key_id, w->key, KEY_ID_SIZE);
        snprintf(detail, sizeof(detail), "%s, counter %" PRIu64 ": %s%s%s", w->name, w->counter, result,
                 strcmp(reason, reason_name(REASON_NONE)) == 0 ? "" : ", ",
                 strcmp(reason, reason_name(REASON_NONE)) == 0 ? "" : reason);
        c->host.audit(c->host.context, actor, AUDIT_COMMAND_ENDED, w->device, detail);
        c->host.ended(c->host.context, &what);
        forget(c, w);
}

/* ---- to the device */
static void hand(struct commands *c, struct waiting_command *w)
{
        int result;

        if (w->handed || w->commit != 0)
                return;
        result = c->host.hand(c->host.context, w->device, span_of(w->sign1, w->size), w->expiry);
        w->handed = result == COMMANDS_HANDED || result == COMMANDS_UNSURE;
        if (result == COMMANDS_UNSURE && !c->host.checks(c->host.context, w->device))
                end(c, w, AUDIT_ACTOR_RELAY, "delivered", reason_name(REASON_NONE), SPAN_EMPTY);
}

void commands_sealed(struct commands *c, uint64_t commit)
{
        for (struct waiting_command *w = c->last; w && w->commit == UNSEALED; w = w->previous)
                w->commit = commit;
}

void commands_durable(struct commands *c, uint64_t commit)
{
        for (struct waiting_command *w = c->first, *next; w; w = next) {
                next = w->next;
                if (w->commit == 0 || w->commit > commit)
                        continue;
                w->commit = 0;
                hand(c, w);
        }
}

void commands_session(struct commands *c, const char *device)
{
        for (struct waiting_command *w = c->first; w; w = w->next)
                if (strcmp(w->device, device) == 0)
                        w->handed = false;
        commands_subscribed(c, device);
}

void commands_subscribed(struct commands *c, const char *device)
{
        for (struct waiting_command *w = c->first, *next; w; w = next) {
                next = w->next;
                if (strcmp(w->device, device) == 0)
                        hand(c, w);
        }
}

void commands_delivered(struct commands *c, const char *device, struct span sign1)
{
        if (c->host.checks(c->host.context, device))
                return;
        for (struct waiting_command *w = c->first; w; w = w->next)
                if (strcmp(w->device, device) == 0 && span_equal(span_of(w->sign1, w->size), sign1)) {
                        end(c, w, AUDIT_ACTOR_RELAY, "delivered", reason_name(REASON_NONE), SPAN_EMPTY);
                        return;
                }
}

void commands_tick(struct commands *c)
{
        uint64_t now = c->host.now_s(c->host.context);

        if (!c->host.time_trusted(c->host.context))
                return;
        for (struct waiting_command *w = c->first, *next; w; w = next) {
                next = w->next;
                if (w->expiry < now)
                        end(c, w, AUDIT_ACTOR_RELAY, "expired", reason_name(REASON_EXPIRED_COMMAND), SPAN_EMPTY);
        }
}

/* ---- what the device says */
static const char *known_result(struct span text)
{
        static const char *const results[] = { "done", "refused", "failed" };

        for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
                if (span_equal_string(text, results[i]))
                        return results[i];
        return NULL;
}

static struct waiting_command *find_answered(const struct commands *c, const char *device, const struct flat_json *json)
{
        uint64_t counter = flat_json_number(json, "counter", 0);
        uint8_t id[KEY_ID_SIZE];

        if (!span_from_hex(flat_json_string(json, "key"), id, sizeof(id)))
                return NULL;
        for (struct waiting_command *w = c->first; w; w = w->next)
                if (strcmp(w->device, device) == 0 && w->counter == counter && memcmp(w->key, id, KEY_ID_SIZE) == 0)
                        return w;
        return NULL;
}

void commands_result(struct commands *c, const char *device, struct span payload)
{
        char name[40], actor[sizeof(AUDIT_ACTOR_DEVICE) + IDENTITY_MAX], detail[DETAIL_MAX];
        uint8_t value[FLAT_JSON_MAX];
        struct waiting_command *w;
        struct flat_json json;
        enum reason reason;
        const char *result;

        if (flat_json_decode(payload, &json) != RELAY_OK)
                return;
        result = known_result(flat_json_string(&json, "result"));
        w = find_answered(c, device, &json);
        if (!result || !w || !span_to_string(flat_json_string(&json, "reason"), name, sizeof(name)))
                return;
        reason = reason_from_name(name);
        if (reason == REASON_COUNT)
                reason = REASON_COMMAND_FAILED;
        if (strcmp(result, "refused") == 0) {
                snprintf(detail, sizeof(detail), "the device refused %s (counter %" PRIu64 "): %s", w->name, w->counter,
                         reason_explanation(reason));
                c->host.alert(c->host.context, device, reason, detail);
        }
        snprintf(actor, sizeof(actor), AUDIT_ACTOR_DEVICE, device);
        end(c, w, actor, result, reason_name(reason),
            span_of(value, flat_json_text(&json, "value", value, sizeof(value))));
}

/* ---- what comes in */
static enum reason open_command(struct span sign1, struct command *out)
{
        struct cose_sign1 signature;

        if (sign1.size > COMMAND_MAX)
                return REASON_TOO_LARGE;
        if (cose_sign1_decode(sign1, &signature) != RELAY_OK || signature.detached ||
            command_decode(signature.payload, out) != RELAY_OK)
                return REASON_MALFORMED;
        return REASON_NONE;
}

/* Who signed it, and for whom; not yet when. */
static enum reason verify(const struct commands *c, const struct command_origin *origin, struct span sign1,
                          struct command *command, uint8_t fingerprint[SHA256_SIZE])
{
        static const struct vendor_keys no_vendor;
        static const uint8_t unknown[CLASS_ID_SIZE];
        const struct site_policy *policy = c->host.policy(c->host.context);
        const struct vendor_keys *vendor = c->host.vendor(c->host.context);
        uint8_t class_id[CLASS_ID_SIZE] = { 0 };
        struct public_key key;
        enum reason reason = open_command(sign1, command);

        if (reason != REASON_NONE)
                return reason;
        if (origin->device && strcmp(origin->device, command->device) != 0)
                return REASON_WRONG_DEVICE;
        if (!c->host.device(c->host.context, command->device, class_id))
                return REASON_UNKNOWN_DEVICE;
        if (!policy)
                return REASON_POLICY_INVALID;
        reason = command_check(sign1, policy, vendor ? vendor : &no_vendor, NULL,
                               memcmp(class_id, unknown, CLASS_ID_SIZE) != 0 ? class_id : NULL, command, &key);
        if (reason == REASON_NONE && key_fingerprint(&key, fingerprint) != RELAY_OK)
                return REASON_BAD_SIGNATURE;
        return reason;
}

static bool is_waiting(const struct commands *c, const char *device, struct span sign1)
{
        for (const struct waiting_command *w = c->first; w; w = w->next)
                if (strcmp(w->device, device) == 0 && span_equal(span_of(w->sign1, w->size), sign1))
                        return true;
        return false;
}

/* known: it was taken before, and whoever sent it said that this may be so */
static enum reason check_time(const struct commands *c, const struct command_origin *origin, struct span sign1,
                              const struct command *command, const uint8_t fingerprint[SHA256_SIZE],
                              const uint8_t digest[SHA256_SIZE], bool *known)
{
        const struct counter *counter = find_counter(c, command->device, fingerprint);

        *known = origin->again && counter &&
                 (memcmp(counter->digest, digest, SHA256_SIZE) == 0 || is_waiting(c, command->device, sign1));
        if (*known)
                return REASON_NONE;
        if (!c->host.time_trusted(c->host.context))
                return REASON_NO_TRUSTED_TIME;
        if (command->expiry < c->host.now_s(c->host.context))
                return REASON_EXPIRED_COMMAND;
        if (counter && command->counter <= counter->last)
                return REASON_REPLAYED_COMMAND;
        if (c->count >= COMMANDS_MAX || count_waiting(c, command->device) >= COMMANDS_DEVICE_MAX)
                return REASON_QUOTA;
        return REASON_NONE;
}

static void tell_refused(struct commands *c, const struct command_origin *origin, const struct command *command,
                         const uint8_t digest[SHA256_SIZE], enum reason reason)
{
        const char *device = origin->device ? origin->device : command->device;
        char detail[DETAIL_MAX];

        switch (refusals_note(&c->refusals, device, digest, c->host.now_s(c->host.context))) {
        case REFUSALS_QUIET:
                return;
        case REFUSALS_FLOOD:
                c->host.alert(c->host.context, "", REASON_QUOTA,
                              "more commands are refused than are told each; the next hour brings a new count");
                return;
        case REFUSALS_TELL:
                break;
        }
        snprintf(detail, sizeof(detail), "a command%s%s was refused: %s", *command->name ? " " : "", command->name,
                 reason_explanation(reason));
        c->host.alert(c->host.context, device, reason, detail);
        c->host.audit(c->host.context, origin->actor, AUDIT_COMMAND_REFUSED, device, reason_name(reason));
}

static void tell_taken(struct commands *c, const struct command_origin *origin, const struct command_record *taken)
{
        char detail[DETAIL_MAX], id[2 * KEY_ID_SIZE + 1];

        snprintf(detail, sizeof(detail), "%s, key %s, counter %" PRIu64, taken->command.name,
                 span_to_hex(span_of(taken->key, KEY_ID_SIZE), id, sizeof(id)), taken->command.counter);
        c->host.audit(c->host.context, origin->actor, AUDIT_COMMAND_ACCEPTED, taken->device, detail);
}

enum reason commands_take(struct commands *c, const struct command_origin *origin, struct span sign1, uint64_t *counter)
{
        struct command_record record = { .kind = COMMAND_RECORD_WAITING, .number = c->next_number, .sign1 = sign1 };
        uint8_t digest[SHA256_SIZE] = { 0 };
        bool known = false;
        enum reason reason = verify(c, origin, sign1, &record.command, record.key);

        if (crypto_sha256(sign1, digest) != RELAY_OK)
                return REASON_STORE_FAILED;
        if (reason == REASON_NONE)
                reason = check_time(c, origin, sign1, &record.command, record.key, digest, &known);
        if (reason == REASON_NONE && !known) {
                snprintf(record.device, sizeof(record.device), "%s", record.command.device);
                reason = keep(c, &record, digest);
        }
        if (reason != REASON_NONE) {
                tell_refused(c, origin, &record.command, digest, reason);
                return reason;
        }
        if (counter)
                *counter = record.command.counter;
        if (!known) {
                c->next_number++;
                tell_taken(c, origin, &record);
        }
        return REASON_NONE;
}
