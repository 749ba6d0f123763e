/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The hub as seen by its bus: what it shows (hub/views.h), what may be asked of it, and what it tells of changes.
 * Everything runs on the loop's thread. Views borrow: valid during the callback or until the next call.
 *
 * Actions: 0 done; 1 refused, *refusal says why and what to do; negative errno: the hub failed (store).
 * caller: who asks, for the audit log ("uid:1000"); never NULL.
 */

#include "hub/update_import.h"
#include "hub/views.h"

struct manager;

#define MANAGER_REFUSED 1

void manager_view(struct manager *m, struct manager_view *out);

/* In ascending order, as long as fn returns 0; its other values are passed on. fn must not change anything. */
int manager_walk_devices(struct manager *m, int (*fn)(void *context, const struct device_view *device), void *context);
bool manager_find_device(struct manager *m, const char *identity, struct device_view *out);
int manager_walk_updates(struct manager *m, int (*fn)(void *context, const struct manager_update *update),
                         void *context);
bool manager_find_update(struct manager *m, const uint8_t digest[SHA256_SIZE], struct manager_update *out);
/* Device number index of an update and what it waits for; false beyond the end. */
bool manager_update_device_at(struct manager *m, const uint8_t digest[SHA256_SIZE], size_t index,
                              struct manager_update_device *out);
/* alerts with number >= from */
int manager_walk_alerts(struct manager *m, uint64_t from, int (*fn)(void *context, const struct alert_view *alert),
                        void *context);
/* encoded audit records with number >= from, at most max */
int manager_walk_audit(struct manager *m, uint64_t from, uint32_t max,
                       int (*fn)(void *context, uint64_t number, struct span record), void *context);

/* list: factory list (relay/factory.h) */
int manager_import_devices(struct manager *m, const char *caller, struct span list, uint32_t *added, uint32_t *known,
                           struct refusal *refusal);
int manager_admit_device(struct manager *m, const char *caller, const char *identity, struct refusal *refusal);
int manager_revoke_device(struct manager *m, const char *caller, const char *identity, const char *why,
                          struct refusal *refusal);
/*
 * Takes a device out of quarantine that was cloned, and forgets its boot counter: the next session's is the one that
 * counts. Refused for one that runs an unknown image, or none: that ends when it runs a known one.
 */
int manager_release_device(struct manager *m, const char *caller, const char *identity, struct refusal *refusal);
/* rotation: COSE_Sign1 (relay/attest.h), signed by the identity key that is registered, which its new key replaces.
 * device: whose it is. */
int manager_rotate_device(struct manager *m, const char *caller, struct span rotation, char device[IDENTITY_MAX + 1],
                          struct refusal *refusal);
/* envelope: SUIT, with both signatures of the vendor. *added: false if it was known. digest: of the image. */
int manager_add_image(struct manager *m, const char *caller, struct span envelope, char digest[2 * SHA256_SIZE + 1],
                      bool *added, struct refusal *refusal);
/* Refused for one that an approved update brings. */
int manager_forget_image(struct manager *m, const char *caller, const uint8_t digest[SHA256_SIZE],
                         struct refusal *refusal);
/* Images that devices may run, in the order in which they became known. */
int manager_walk_images(struct manager *m, int (*fn)(void *context, const struct image_view *image), void *context);
int manager_import_site_policy(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal);
int manager_import_vendor_keys(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal);
/* Of this epoch, 0: the newest; SPAN_EMPTY if there is none; valid until the next action */
struct span manager_site_policy(struct manager *m, uint64_t epoch);
struct span manager_vendor_keys(struct manager *m, uint64_t epoch);
/* Approvals of an older epoch than the revocation names count no more. */
int manager_revoke_approvals(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal);
struct span manager_revocation(struct manager *m); /* SPAN_EMPTY if there is none yet */
int manager_approve(struct manager *m, const char *caller, struct span approval, uint32_t *approved, uint32_t *needed,
                    struct refusal *refusal);
int manager_deny_update(struct manager *m, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                        struct refusal *refusal);
int manager_open_gate(struct manager *m, const char *caller, uint64_t until, struct refusal *refusal);
int manager_close_gate(struct manager *m, const char *caller, struct refusal *refusal);
/* The gate for a scope: the site's as the two above, a class's, a device's; the most specific one decides. */
int manager_set_gate(struct manager *m, const char *caller, const struct gate_change *change, struct refusal *refusal);
/* Takes one back, so that the wider one decides; 0 also if there is none. */
int manager_reset_gate(struct manager *m, const char *caller, const char *scope, struct refusal *refusal);
/* In the order site, classes, devices. */
int manager_walk_gate(struct manager *m, int (*fn)(void *context, const struct gate_change *setting), void *context);

/* ---- manager_airgap.c: what goes in and out by files */
#define MANAGER_DROP_MAX 10000 /* events one manager_drop_events() deletes at most */
/*
 * Events of the outbox that are durable, with number >= from; *next: the number to go on from. fn: 0 to go on, 1: this
 * one has no room, end here; negative: passed on.
 */
int manager_walk_events(struct manager *m, uint64_t from, int (*fn)(void *context, const struct event_view *event),
                        void *context, uint64_t *next);
/* Deletes what was exported, up to this number. Refused on a relay with an uplink, which takes them itself. */
int manager_drop_events(struct manager *m, const char *caller, uint64_t through, uint32_t *dropped,
                        struct refusal *refusal);

/* command: COSE_Sign1 (relay/command.h). *counter: the command's; what becomes of it is told by command_ended(). */
int manager_send_command(struct manager *m, const char *caller, struct span command, uint64_t *counter,
                         struct refusal *refusal);
/* Last counter seen of the key with this id for this device; 0: none. */
uint64_t manager_command_counter(struct manager *m, const char *device, const uint8_t key_id[KEY_ID_SIZE]);
/* The last signed checkpoint of the audit log; SPAN_EMPTY if there is none yet. Valid until the next action. */
struct span manager_checkpoint(struct manager *m);
/* Signs one now, or gives the last one if nothing was added to the log since. */
int manager_make_checkpoint(struct manager *m, struct span *checkpoint, struct refusal *refusal);

/* Signed checkpoints of the audit log, in order, from the first on that speaks of at least so many records. */
int manager_walk_checkpoints(struct manager *m, uint64_t from,
                             int (*fn)(void *context, uint64_t records, struct span checkpoint), void *context);
/*
 * An update from a file: envelope, block list of its image, release notes; for these devices, or (count 0) for every
 * registered one of its class. digest: of its manifest. *next: the first block that is missing, of *blocks.
 */
int manager_import_update(struct manager *m, const char *caller, struct update_import *import,
                          uint8_t digest[SHA256_SIZE], uint32_t *next, uint32_t *blocks, struct refusal *refusal);
int manager_import_image(struct manager *m, const uint8_t digest[SHA256_SIZE], uint32_t first, struct span bytes,
                         uint32_t *next, uint32_t *blocks, struct refusal *refusal);

/*
 * Changes the country policy: for good, or with confirm_s for so many seconds unless manager_confirm_country() comes.
 * Refused with REASON_LOCK_OUT if it would refuse one of the caller's addresses, unless who->force.
 */
int manager_set_country(struct manager *m, const struct country_caller *who, const struct country_change *changes,
                        size_t count, uint32_t confirm_s, struct refusal *refusal);
int manager_confirm_country(struct manager *m, const char *caller, struct refusal *refusal);
/* direction: "inbound", "uplink", "admin"; port: 0 for none in particular */
int manager_test_address(struct manager *m, const char *address, const char *direction, uint16_t port,
                         struct country_test_view *out, struct refusal *refusal);
/* The committed policy, or the one on trial (nothing if there is none), as hub/country_settings.h names it. */
int manager_walk_country(struct manager *m, bool pending, int (*fn)(void *context, const char *name, const char *value),
                         void *context);
/* counters of the kernel (packets), and packets refused by country, as the guard told them last */
int manager_walk_firewall(struct manager *m, bool countries,
                          int (*fn)(void *context, const char *name, uint64_t packets), void *context);
/* The database's file was replaced: opens it, also the guard. */
int manager_reload_country(struct manager *m, const char *caller, struct refusal *refusal);

/* What changed; many changes of one kind in a loop turn, or within a tenth of a second, are told once per object. */
enum manager_change {
        MANAGER_CHANGE_MANAGER, /* uplink, gate or policy properties; key: "" */
        MANAGER_CHANGE_DEVICE,  /* key: identity; also a new one */
        MANAGER_CHANGE_UPDATE,  /* key: manifest digest in hexadecimal; also a new one */
};
struct manager_listener {
        void (*changed)(void *context, enum manager_change what, const char *key);
        void (*alert)(void *context, const struct alert_view *alert);
        void (*command_ended)(void *context, const struct command_end_view *end);
        /* all that actions changed since the last call is part of this commit */
        void (*sealed)(void *context, uint64_t commit);
        /* commits up to this one are on disk */
        void (*durable)(void *context, uint64_t commit);
        void *context;
};
/* One listener (the bus); NULL takes it away. The struct is copied. */
void manager_listen(struct manager *m, const struct manager_listener *listener);
