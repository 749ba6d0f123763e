/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of update_table.h in the store. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/message.h"
#include "hub/update_table.h"

#define DEVICE_KEY_MAX (SHA256_SIZE + IDENTITY_MAX)
#define APPROVAL_KEY   (SHA256_SIZE + KEY_ID_SIZE)

static struct span device_key(uint8_t out[DEVICE_KEY_MAX], const struct update *update, const char *device)
{
        struct writer w;

        writer_init(&w, out, DEVICE_KEY_MAX);
        writer_bytes(&w, SPAN_OF(update->digest));
        writer_bytes(&w, span_of_string(device));
        return writer_span(&w);
}

static struct span approval_key(uint8_t out[APPROVAL_KEY], const uint8_t digest[SHA256_SIZE],
                                const uint8_t key_id[KEY_ID_SIZE])
{
        memcpy(out, digest, SHA256_SIZE);
        memcpy(out + SHA256_SIZE, key_id, KEY_ID_SIZE);
        return span_of(out, APPROVAL_KEY);
}

/* no device's name has a dot */
#define IMPORT_SUFFIX SPAN_LITERAL(".import")

static struct span import_key(uint8_t out[DEVICE_KEY_MAX], const struct update *update)
{
        return device_key(out, update, ".import");
}

int update_store(struct store *store, const struct update *update)
{
        const struct update_record record = { update->manifest.envelope, update->received, update->denied,
                                              span_of_string(update->why) };
        uint8_t out[UPDATE_RECORD_MAX];
        struct writer w;

        writer_init(&w, out, sizeof(out));
        update_record_encode(&w, &record);
        if (writer_finish(&w) != RELAY_OK)
                return -E2BIG;
        return store_put(store, STORE_UPDATES, SPAN_OF(update->digest), writer_span(&w));
}

int update_store_device(struct store *store, const struct update *update, struct update_device *device)
{
        uint8_t key[DEVICE_KEY_MAX], out[UPDATE_DEVICE_RECORD_MAX];
        struct writer w;

        writer_init(&w, out, sizeof(out));
        update_device_record_encode(&w, &device->record);
        int r = store_put(store, STORE_UPDATES, device_key(key, update, device->name), writer_span(&w));
        if (r == 0)
                device->changed = false;
        return r;
}

int update_store_import(struct store *store, const struct update *update)
{
        uint8_t key[DEVICE_KEY_MAX];

        return store_put(store, STORE_UPDATES, import_key(key, update), span_of(update->notes, update->notes_size));
}

int update_store_approval(struct store *store, const uint8_t digest[SHA256_SIZE], const uint8_t key_id[KEY_ID_SIZE],
                          struct span sign1)
{
        uint8_t key[APPROVAL_KEY];

        return store_put(store, STORE_APPROVALS, approval_key(key, digest, key_id), sign1);
}

void update_store_delete_approval(struct store *store, const uint8_t digest[SHA256_SIZE],
                                  const uint8_t key_id[KEY_ID_SIZE])
{
        uint8_t key[APPROVAL_KEY];

        /* deletes are always taken, or the store has failed for good, which its owner hears of elsewhere */
        (void)store_delete(store, STORE_APPROVALS, approval_key(key, digest, key_id));
}

void update_store_delete(struct store *store, const struct update *update)
{
        uint8_t key[DEVICE_KEY_MAX];

        /* as above */
        (void)store_delete(store, STORE_UPDATES, SPAN_OF(update->digest));
        if (update->imported)
                (void)store_delete(store, STORE_UPDATES, import_key(key, update));
        for (size_t i = 0; i < update->device_count; i++)
                (void)store_delete(store, STORE_UPDATES, device_key(key, update, update->devices[i].name));
        for (size_t i = 0; i < update->approval_count; i++)
                update_store_delete_approval(store, update->digest, update->approvals[i].key_id);
}

/* ---- reading all of it */

struct load {
        struct update_table *table;
        const struct vendor_keys *vendor;
        const struct site_policy *policy;
        size_t devices_max;
};

static int load_update(struct load *load, struct span value)
{
        struct manifest_unverified manifest;
        struct manifest_verified verified;
        struct update_record record;

        if (update_record_decode(value, &record) != RELAY_OK ||
            manifest_decode(record.envelope, &manifest) != REASON_NONE ||
            manifest_verify(&manifest, load->vendor, &verified) != REASON_NONE)
                return -EBADMSG;
        /* a time of before there was any of this: the clock was not set */
        struct update *update = update_new(&verified, record.received < MESSAGE_TIME_PLAUSIBLE ? 0 : record.received);
        if (!update)
                return -ENOMEM;
        update->denied = record.denied;
        span_to_string(record.why, update->why, sizeof(update->why));
        int r = update_table_add(load->table, update);
        if (r < 0)
                update_free(update);
        return r;
}

static int load_device(struct load *load, struct span key, struct span value)
{
        struct update *update = update_table_find(load->table, key.data);
        char name[IDENTITY_MAX + 1];
        struct update_device_record record;

        if (!update || !span_to_string(span_slice(key, SHA256_SIZE, IDENTITY_MAX + 1), name, sizeof(name)) ||
            update_device_record_decode(value, &record) != RELAY_OK)
                return -EBADMSG;
        struct update_device *device = update_add_device(update, name, load->devices_max);
        if (!device)
                return -ENOMEM;
        device->record = record;
        device->changed = false;
        return 0;
}

static int load_import(struct load *load, struct span key, struct span value)
{
        struct update *update = update_table_find(load->table, key.data);

        if (!update || !span_is_utf8(value))
                return -EBADMSG;
        return update_set_imported(update, value);
}

/* An update's own record comes before those of its devices, as its key is their prefix. */
static int load_record(void *context, struct span key, struct span value)
{
        if (key.size < SHA256_SIZE)
                return -EBADMSG;
        if (key.size == SHA256_SIZE)
                return load_update(context, value);
        if (span_equal(span_slice(key, SHA256_SIZE, key.size), IMPORT_SUFFIX))
                return load_import(context, key, value);
        return load_device(context, key, value);
}

static int load_approval(void *context, struct span key, struct span value)
{
        struct load *load = context;
        struct approval content;
        size_t approver = 0;

        if (key.size != APPROVAL_KEY)
                return -EBADMSG;
        struct update *update = update_table_find(load->table, key.data);
        if (!update)
                return 0; /* its update made room for another; the record goes with the next removal */
        enum reason reason = approval_check(value, load->policy, &content, &approver);
        if (reason == REASON_NOT_AN_APPROVER)
                return 0;
        if (reason != REASON_NONE || memcmp(content.manifest_digest, update->digest, SHA256_SIZE) != 0)
                return -EBADMSG;
        return update_set_approval(update, &content, approver, key.data + SHA256_SIZE, value);
}

int update_table_load(struct update_table *table, struct store *store, const struct vendor_keys *vendor,
                      const struct site_policy *policy, size_t devices_max)
{
        struct load load = { table, vendor, policy, devices_max };
        int r = store_walk(store, STORE_UPDATES, SPAN_EMPTY, load_record, &load);

        if (r == 0)
                r = store_walk(store, STORE_APPROVALS, SPAN_EMPTY, load_approval, &load);
        return r;
}
