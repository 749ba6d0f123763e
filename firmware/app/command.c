/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: judged, counted, executed, answered. */

#include "app/command.h"

#include <string.h>

#include "app/json.h"

#define JOURNAL_MAGIC UINT32_C(0x636f6d6d) /* "comm" */

/* ---- counters in flash */

static void decode_counters(const uint8_t *record, struct command_counter out[COMMANDS_KEYS_MAX])
{
        struct reader r;

        reader_init(&r, span_of(record, COMMANDS_RECORD_SIZE));
        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++) {
                struct span key = reader_bytes(&r, KEY_ID_SIZE);
                if (key.size == KEY_ID_SIZE)
                        memcpy(out[i].key, key.data, KEY_ID_SIZE);
                out[i].counter = reader_u64(&r);
        }
}

int commands_init(struct commands *c, const struct commands_config *config)
{
        uint8_t record[COMMANDS_RECORD_SIZE] = { 0 };

        memset(c, 0, sizeof(*c));
        c->config = *config;
        int r = journal_load(&c->journal, &config->counters, JOURNAL_MAGIC, record, sizeof(record));
        if (r < 0 && r != RELAY_E_STATE)
                return r;
        decode_counters(record, c->counters);
        return 0;
}

static uint64_t last_counter(const struct commands *c, const uint8_t key[KEY_ID_SIZE])
{
        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++)
                if (c->counters[i].counter > 0 && memcmp(c->counters[i].key, key, KEY_ID_SIZE) == 0)
                        return c->counters[i].counter;
        return 0;
}

static bool is_key_id(const struct public_key *key, const uint8_t id[KEY_ID_SIZE])
{
        uint8_t own[KEY_ID_SIZE];

        return key_id(key, own) == RELAY_OK && memcmp(own, id, KEY_ID_SIZE) == 0;
}

static bool is_in_use(const struct commands *c, const uint8_t key[KEY_ID_SIZE])
{
        const struct site_policy *policy = c->config.policy;
        const struct vendor_keys *vendor = c->config.vendor;

        for (size_t i = 0; i < vendor->command_count; i++)
                if (is_key_id(&vendor->command[i], key))
                        return true;
        for (size_t i = 0; i < policy->grant_count; i++)
                if (is_key_id(&policy->grants[i].key, key))
                        return true;
        return false;
}

/* its own place, a free one, or that of a key which may not command any more */
static struct command_counter *find_place(struct command_counter *counters, const struct commands *c,
                                          const uint8_t key[KEY_ID_SIZE])
{
        struct command_counter *place = NULL;

        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++)
                if (counters[i].counter > 0 && memcmp(counters[i].key, key, KEY_ID_SIZE) == 0)
                        return &counters[i];
        for (size_t i = 0; i < COMMANDS_KEYS_MAX && !place; i++)
                if (counters[i].counter == 0)
                        place = &counters[i];
        for (size_t i = 0; i < COMMANDS_KEYS_MAX && !place; i++)
                if (!is_in_use(c, counters[i].key))
                        place = &counters[i];
        return place;
}

/* In flash before it is in RAM: what was not written is not believed either. */
static int raise_counter(struct commands *c, const uint8_t key[KEY_ID_SIZE], uint64_t counter)
{
        struct command_counter counters[COMMANDS_KEYS_MAX];
        uint8_t record[COMMANDS_RECORD_SIZE];
        struct writer w;

        memcpy(counters, c->counters, sizeof(counters));
        struct command_counter *place = find_place(counters, c, key);
        if (!place)
                return RELAY_E_SPACE;
        memcpy(place->key, key, KEY_ID_SIZE);
        place->counter = counter;
        writer_init(&w, record, sizeof(record));
        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++) {
                writer_bytes(&w, SPAN_OF(counters[i].key));
                writer_u64(&w, counters[i].counter);
        }
        int r = journal_store(&c->journal, record);
        if (r == 0)
                memcpy(c->counters, counters, sizeof(counters));
        return r;
}

/* ---- judging */

static enum reason judge_time(const struct command *command, bool time_trusted, uint64_t now_s)
{
        if (!time_trusted)
                return REASON_NO_TRUSTED_TIME;
        return now_s > command->expiry ? REASON_EXPIRED_COMMAND : REASON_NONE;
}

static bool answer_again(struct commands *c, const uint8_t digest[SHA256_SIZE])
{
        for (unsigned i = 0; i < COMMANDS_ANSWERS; i++)
                if (memcmp(c->digests[i], digest, SHA256_SIZE) == 0) {
                        c->answers[i].due = true;
                        return true;
                }
        return false;
}

/* Whoever sent it is told: the key is one that may command here. */
static enum reason refuse(struct commands *c, const uint8_t key[KEY_ID_SIZE], uint64_t counter, enum reason reason)
{
        struct command_refusal *refusal = &c->refusals[c->next_refusal++ % COMMANDS_REFUSALS];

        *refusal = (struct command_refusal){ .due = true, .counter = counter, .reason = reason };
        memcpy(refusal->key, key, KEY_ID_SIZE);
        return reason;
}

/* ---- executing */

static void execute(struct commands *c, const struct command *command, const uint8_t key[KEY_ID_SIZE],
                    const uint8_t digest[SHA256_SIZE])
{
        unsigned number = c->next_answer++ % COMMANDS_ANSWERS;
        struct command_result *answer = &c->answers[number];
        struct writer value;

        *answer = (struct command_result){ .due = true, .counter = command->counter };
        memcpy(answer->key, key, KEY_ID_SIZE);
        memcpy(c->digests[number], digest, SHA256_SIZE);
        writer_init(&value, answer->value, sizeof(answer->value));
        answer->outcome = c->config.run(c->config.context, command->name, command->arguments, &value);
        if (writer_finish(&value) == RELAY_OK)
                answer->value_size = writer_span(&value).size;
        if (answer->outcome == COMMAND_OUTCOME_FAILED)
                answer->reason = REASON_COMMAND_FAILED;
        else if (answer->outcome == COMMAND_OUTCOME_UNKNOWN)
                answer->reason = REASON_UNKNOWN_COMMAND;
}

int commands_take(struct commands *c, struct span sign1, bool time_trusted, uint64_t now_s, enum reason *refusal)
{
        uint8_t digest[SHA256_SIZE], id[KEY_ID_SIZE];
        struct command command;
        struct public_key key;

        *refusal = command_check(sign1, c->config.policy, c->config.vendor, c->config.device, c->config.class_id,
                                 &command, &key);
        if (*refusal != REASON_NONE)
                return 0;
        int r = crypto_sha256(sign1, digest);
        if (r == 0)
                r = key_id(&key, id);
        if (r < 0 || answer_again(c, digest))
                return r;
        *refusal = command.counter <= last_counter(c, id) ? REASON_REPLAYED_COMMAND
                                                          : judge_time(&command, time_trusted, now_s);
        if (*refusal != REASON_NONE) {
                refuse(c, id, command.counter, *refusal);
                return 0;
        }
        r = raise_counter(c, id, command.counter);
        if (r == 0)
                execute(c, &command, id, digest);
        return r;
}

/* ---- results */

static void write_result(struct writer *w, const uint8_t key[KEY_ID_SIZE], uint64_t counter, const char *result,
                         enum reason reason, struct span value)
{
        json_open(w);
        json_hex(w, "key", span_of(key, KEY_ID_SIZE));
        json_uint(w, "counter", counter);
        json_string(w, "result", span_of_string(result));
        json_string(w, "reason", span_of_string(reason_name(reason)));
        json_string(w, "value", value);
        json_close(w);
}

static const struct command_refusal *due_refusal(const struct commands *c)
{
        for (unsigned i = 0; i < COMMANDS_REFUSALS; i++) /* the oldest first */
                if (c->refusals[(c->next_refusal + i) % COMMANDS_REFUSALS].due)
                        return &c->refusals[(c->next_refusal + i) % COMMANDS_REFUSALS];
        return NULL;
}

static const struct command_result *due_answer(const struct commands *c)
{
        for (unsigned i = 0; i < COMMANDS_ANSWERS; i++)
                if (c->answers[(c->next_answer + i) % COMMANDS_ANSWERS].due)
                        return &c->answers[(c->next_answer + i) % COMMANDS_ANSWERS];
        return NULL;
}

bool commands_next(const struct commands *c, struct writer *w)
{
        static const char *const names[] = {
                [COMMAND_OUTCOME_DONE] = "done",
                [COMMAND_OUTCOME_FAILED] = "failed",
                [COMMAND_OUTCOME_UNKNOWN] = "refused",
        };
        const struct command_result *answer = due_answer(c);
        const struct command_refusal *refusal = due_refusal(c);

        if (answer)
                write_result(w, answer->key, answer->counter, names[answer->outcome], answer->reason,
                             span_of(answer->value, answer->value_size));
        else if (refusal)
                write_result(w, refusal->key, refusal->counter, "refused", refusal->reason, SPAN_EMPTY);
        return answer || refusal;
}

void commands_told(struct commands *c)
{
        struct command_result *answer = (struct command_result *)due_answer(c);
        struct command_refusal *refusal = (struct command_refusal *)due_refusal(c);

        if (answer)
                answer->due = false;
        else if (refusal)
                refusal->due = false;
}
