/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The known updates in memory and their records in the store. No rules here: those are updates.c.
 */

#include "hub/update_record.h"
#include "relay/approval.h"
#include "store/store.h"

enum update_state { UPDATE_PENDING = 0, UPDATE_APPROVED = 1, UPDATE_DENIED = 2, UPDATE_SUPERSEDED = 3 };

struct update_device {
        char name[IDENTITY_MAX + 1];
        struct update_device_record record;
        struct decision signed_by; /* last answer of approval_decide() for this device */
        struct decision approval;  /* the same, or that of a rule of the site policy */
        bool changed;              /* the record is not staged yet */
};
struct update_approval {
        uint8_t key_id[KEY_ID_SIZE];
        size_t approver; /* place in the site policy */
        struct approval content;
        uint8_t *sign1;
        size_t size;
};
struct update {
        uint8_t digest[SHA256_SIZE];
        uint8_t *bytes; /* the envelope; fields point into it */
        struct manifest_verified manifest;
        uint64_t received; /* Unix seconds; 0: the clock was not set then */
        bool denied;
        char why[UPDATE_WHY_SIZE];
        bool imported; /* from a file: its image is kept although nobody approved it yet */
        char *notes;   /* release notes of the file, or NULL */
        size_t notes_size;
        struct update_approval approvals[SITE_APPROVERS_MAX];
        size_t approval_count;
        struct update_device *devices; /* ascending by name */
        size_t device_count, device_room;
        struct decision signed_by; /* for the site as a whole */
        struct decision approval;  /* the same, or that of a rule for one of the devices */
        enum update_state state;
        bool leaving;                  /* being removed: nobody is shown it, and nothing is said of it any more */
        uint8_t answered[SHA256_SIZE]; /* of the answer that stands retained; zeros: none yet */
};
struct update_table {
        struct update **updates; /* ascending by time of arrival */
        size_t count, max;
};

/* Takes a verified manifest (its envelope is copied). NULL: no memory. Does not add it. */
struct update *update_new(const struct manifest_verified *manifest, uint64_t received);
struct update *update_free(struct update *update);
struct update_device *update_find_device(const struct update *update, const char *device);
/* It came in a file, with these notes (copied). 0, -ENOMEM */
int update_set_imported(struct update *update, struct span notes);
/* Finds or adds; NULL: no memory, or UPDATES' limit max is reached */
struct update_device *update_add_device(struct update *update, const char *device, size_t max);
/* Copies sign1; replaces what this approver gave before. 0, -ENOMEM, -ENOSPC */
int update_set_approval(struct update *update, const struct approval *content, size_t approver,
                        const uint8_t key_id[KEY_ID_SIZE], struct span sign1);
struct update_approval *update_find_approval(struct update *update, size_t approver);
void update_remove_approval(struct update *update, size_t place);
const char *update_state_name(enum update_state state); /* "pending", "approved", ... */

int update_table_init(struct update_table *table, size_t max); /* 0, -ENOMEM */
void update_table_clear(struct update_table *table);
struct update *update_table_find(const struct update_table *table, const uint8_t digest[SHA256_SIZE]);
int update_table_add(struct update_table *table, struct update *update); /* -ENOSPC: full; takes it on success only */
void update_table_remove(struct update_table *table, struct update *update); /* frees it */

/* Staged changes: 0 or the store's error. */
int update_store(struct store *store, const struct update *update);
int update_store_device(struct store *store, const struct update *update, struct update_device *device);
int update_store_approval(struct store *store, const uint8_t digest[SHA256_SIZE], const uint8_t key_id[KEY_ID_SIZE],
                          struct span sign1);
int update_store_import(struct store *store, const struct update *update); /* that it was imported, and its notes */
void update_store_delete_approval(struct store *store, const uint8_t digest[SHA256_SIZE],
                                  const uint8_t key_id[KEY_ID_SIZE]);
void update_store_delete(struct store *store, const struct update *update); /* with devices and approvals */
/*
 * Reads everything; vendor: every manifest is verified again; policy: every approval. Approvals of keys that are no
 * approvers any more are skipped. 0, -EBADMSG, -ENOMEM or the store's error.
 */
int update_table_load(struct update_table *table, struct store *store, const struct vendor_keys *vendor,
                      const struct site_policy *policy, size_t devices_max);
