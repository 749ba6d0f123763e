/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country policy the hub keeps; see countries.h. */

#include "hub/countries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "relay/cursor.h"
#include "util/cleanup.h"
#include "util/time.h"

#define FORMAT      1
#define RECORD_MAX  (COUNTRY_RECORD_MAX + 64)
#define KEY_POLICY  SPAN_LITERAL("country-policy")
#define KEY_PENDING SPAN_LITERAL("country-pending")

/* ---- records */
static int put_policy(struct writer *w, const struct country_policy *policy)
{
        uint8_t record[COUNTRY_RECORD_MAX];
        size_t size;

        if (country_policy_encode(policy, record, sizeof(record), &size) != 0)
                return -EINVAL;
        writer_bytes(w, span_of(record, size));
        return writer_finish(w) == RELAY_OK ? 0 : -EINVAL;
}

static int save_committed(const struct countries *c, const struct country_policy *policy, uint64_t token,
                          uint64_t last_token)
{
        uint8_t record[RECORD_MAX];
        struct writer w;
        int result;

        writer_init(&w, record, sizeof(record));
        writer_u8(&w, FORMAT);
        writer_u64(&w, token);
        writer_u64(&w, last_token);
        result = put_policy(&w, policy);
        return result < 0 ? result : store_put(c->store, STORE_META, KEY_POLICY, writer_span(&w));
}

static int save_pending(const struct countries *c, const struct country_policy *policy, uint64_t token,
                        uint64_t deadline_ms, uint64_t until)
{
        uint8_t record[RECORD_MAX];
        struct writer w;
        int result;

        writer_init(&w, record, sizeof(record));
        writer_u8(&w, FORMAT);
        writer_u64(&w, token);
        writer_u64(&w, deadline_ms);
        writer_bytes(&w, SPAN_OF(c->boot.id));
        writer_u64(&w, until);
        result = put_policy(&w, policy);
        return result < 0 ? result : store_put(c->store, STORE_META, KEY_PENDING, writer_span(&w));
}

static int get_policy(struct reader *r, struct country_policy *out)
{
        struct span policy = reader_bytes(r, reader_left(r));

        return r->result == RELAY_OK && country_policy_decode(out, policy) == RELAY_OK ? 0 : -EBADMSG;
}

static int decode_committed(struct span record, struct countries *out)
{
        struct reader r;

        reader_init(&r, record);
        if (reader_u8(&r) != FORMAT)
                return -EBADMSG;
        out->token = reader_u64(&r);
        out->last_token = reader_u64(&r);
        return get_policy(&r, &out->committed);
}

static int decode_pending(struct span record, struct countries *out, struct countries_boot *boot)
{
        struct span id;
        struct reader r;

        reader_init(&r, record);
        if (reader_u8(&r) != FORMAT)
                return -EBADMSG;
        out->pending_token = reader_u64(&r);
        out->deadline_ms = reader_u64(&r);
        id = reader_bytes(&r, COUNTRIES_BOOT_SIZE);
        out->until = reader_u64(&r);
        if (r.result != RELAY_OK)
                return -EBADMSG;
        memcpy(boot->id, id.data, COUNTRIES_BOOT_SIZE);
        return get_policy(&r, &out->pending);
}

/* 0; -ENOENT and others of the store */
static int load_record(struct store *store, struct span key, struct countries *out, struct countries_boot *boot)
{
        _cleanup_free_ uint8_t *record = NULL;
        size_t size = 0;
        int result = store_get(store, STORE_META, key, &record, &size);

        if (result < 0)
                return result;
        return boot ? decode_pending(span_of(record, size), out, boot) : decode_committed(span_of(record, size), out);
}

/* ---- life */
static bool same_boot(const struct countries_boot *a, const struct countries_boot *b)
{
        return b->known && memcmp(a->id, b->id, COUNTRIES_BOOT_SIZE) == 0;
}

int countries_load(struct countries *c, struct store *store, const char *path, const struct countries_boot *boot,
                   uint64_t boot_ms, bool *gave_up)
{
        struct countries_boot then = { 0 };
        int result;

        *c = (struct countries){ .store = store, .path = path, .token = 1, .last_token = 1, .boot = *boot };
        *gave_up = false;
        result = load_record(store, KEY_POLICY, c, NULL);
        if (result < 0 && result != -ENOENT)
                return result;
        result = load_record(store, KEY_PENDING, c, &then);
        if (result == -ENOENT)
                return 0;
        if (result < 0)
                return result;
        if (c->last_token < c->pending_token)
                c->last_token = c->pending_token;
        if (same_boot(&then, boot) && !countries_is_over(c, boot_ms))
                return 0;
        *gave_up = true;
        return countries_give_up(c);
}

void countries_release(struct countries *c)
{
        c->database = country_free(c->database);
}

/* Is the file still the one that is in use? Looked at before it is opened: if it is replaced in between, it is opened
 * once more than needed. */
static bool is_in_use(const struct countries *c, const struct stat *file)
{
        return c->database && file->st_ino == c->file.st_ino && file->st_dev == c->file.st_dev &&
               file->st_size == c->file.st_size && file->st_mtim.tv_sec == c->file.st_mtim.tv_sec &&
               file->st_mtim.tv_nsec == c->file.st_mtim.tv_nsec;
}

int countries_reopen(struct countries *c)
{
        struct country *database = NULL;
        char error[COUNTRY_ERROR_MAX] = "";
        struct stat file = { 0 };
        int result;

        if (stat(c->path, &file) == 0 && is_in_use(c, &file)) {
                c->error[0] = 0;
                return 1;
        }
        result = country_open(&database, c->path, error);
        if (result < 0) {
                snprintf(c->error, sizeof(c->error), "%s", *error ? error : strerror(-result));
                return result;
        }
        c->error[0] = 0;
        country_free(c->database);
        c->database = database;
        c->file = file;
        country_info(database, &c->info);
        return 0;
}

/* ---- questions */
const struct country_policy *countries_policy(const struct countries *c)
{
        return c->pending_token ? &c->pending : &c->committed;
}

uint64_t countries_token(const struct countries *c)
{
        return c->pending_token ? c->pending_token : c->token;
}

bool countries_active(const struct countries *c)
{
        const struct country_policy *policy = countries_policy(c);

        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                if (policy->rules[i].mode != COUNTRY_OFF)
                        return true;
        return policy->port_rule_count > 0 || policy->lockdown;
}

struct country_answer countries_judge(const struct countries *c, const struct country_policy *policy,
                                      enum country_direction direction, uint16_t port, const struct address *address)
{
        return country_policy_decide(policy, direction, port, address, country_lookup(c->database, address));
}

bool countries_is_over(const struct countries *c, uint64_t boot_ms)
{
        return c->pending_token && boot_ms >= c->deadline_ms;
}

uint32_t countries_seconds_left(const struct countries *c, uint64_t boot_ms)
{
        uint64_t left = c->deadline_ms > boot_ms ? (c->deadline_ms - boot_ms) / TIME_MS_PER_S : 0;

        return left == 0 ? 1 : left > COUNTRIES_CONFIRM_MAX ? COUNTRIES_CONFIRM_MAX : (uint32_t)left;
}

/* ---- changes */
static int commit(struct countries *c, const struct country_policy *policy, uint64_t token, uint64_t last_token)
{
        int result = save_committed(c, policy, token, last_token);

        if (result == 0)
                result = store_delete(c->store, STORE_META, KEY_PENDING);
        if (result < 0)
                return result;
        c->committed = *policy;
        c->token = token;
        c->last_token = last_token;
        c->pending_token = 0;
        return 0;
}

int countries_set(struct countries *c, const struct country_policy *policy, uint32_t confirm_s, uint64_t boot_ms,
                  uint64_t now_s)
{
        uint64_t token = c->last_token + 1, deadline_ms = boot_ms + confirm_s * TIME_MS_PER_S;
        int result;

        if (!country_policy_is_valid(policy) || confirm_s > COUNTRIES_CONFIRM_MAX)
                return -EINVAL;
        if (confirm_s == 0)
                return c->pending_token ? -EBUSY : commit(c, policy, token, token);
        result = save_pending(c, policy, token, deadline_ms, now_s + confirm_s);
        if (result < 0)
                return result;
        c->pending = *policy;
        c->pending_token = c->last_token = token;
        c->deadline_ms = deadline_ms;
        c->until = now_s + confirm_s;
        return 0;
}

int countries_confirm(struct countries *c)
{
        /* a copy: commit() writes over both */
        struct country_policy policy = c->pending;

        return c->pending_token ? commit(c, &policy, c->pending_token, c->last_token) : -ENOENT;
}

int countries_give_up(struct countries *c)
{
        struct country_policy policy = c->committed;

        return c->pending_token ? commit(c, &policy, c->token, c->last_token) : -ENOENT;
}
