/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Appraisal of sessions, and what tells clones; see manager_identity.h. */

#include "hub/manager_identity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hub/flat_json.h"
#include "hub/manager_internal.h"

#define CLONE_ALERT_MS    60000 /* at most one alert about the clones of a device in this time */
#define ALERTS_PER_SECOND 1
#define ALERTS_BURST      20
#define IMAGE_DIGITS      16 /* of a digest in a sentence */

static const struct quota_rule alert_rule = { .per_second = ALERTS_PER_SECOND, .burst = ALERTS_BURST };

int manager_identity_load(struct manager *m)
{
        quota_fill(&m->identity.alerts, &alert_rule, 0);
        return known_images_load(&m->identity.images, m->store);
}

void manager_identity_release(struct manager *m)
{
        known_images_release(&m->identity.images);
}

/* ---- sessions that end */
void manager_identity_end(struct manager *m, struct device *d, uint8_t mqtt_reason)
{
        if (d->sessions == 0 || d->boots.end)
                return;
        d->boots.end = mqtt_reason;
        m->identity.ends++;
}

static void end_session(struct manager *m, struct device *d)
{
        const struct client *c = client_find(&m->broker->clients, span_of_string(d->identity));
        uint8_t reason = d->boots.end;

        d->boots.end = 0;
        m->identity.ends--;
        if (c && c->link)
                broker_close(m->broker, c->link, reason, true);
}

void manager_identity_turn(struct manager *m)
{
        for (size_t i = 0; i < m->registry.count && m->identity.ends > 0; i++)
                if (m->registry.sorted[i]->boots.end)
                        end_session(m, m->registry.sorted[i]);
}

void manager_identity_end_running(struct manager *m, const uint8_t image[SHA256_SIZE])
{
        for (size_t i = 0; i < m->registry.count; i++) {
                struct device *d = m->registry.sorted[i];

                if (d->evidence.there && memcmp(d->evidence.image, image, SHA256_SIZE) == 0)
                        manager_identity_end(m, d, MQTT_ADMINISTRATIVE_ACTION);
        }
}

/* ---- known images */
int manager_identity_add_image(struct manager *m, const char *actor, const struct known_image *image)
{
        char hex[2 * SHA256_SIZE + 1];
        int result = known_images_add(&m->identity.images, image);

        if (result != 0)
                return result;
        manager_audit(m, actor, AUDIT_IMAGE_KNOWN, span_to_hex(SPAN_OF(image->image), hex, sizeof(hex)),
                      image_source_name(image->source));
        manager_identity_end_running(m, image->image);
        return 0;
}

void manager_identity_approved(void *context, const struct manifest_verified *manifest)
{
        struct manager *m = context;
        struct known_image image = { .source = IMAGE_APPROVED,
                                     .time = m->broker->time,
                                     .sequence = manifest->fields.sequence };

        memcpy(image.image, manifest->fields.image_digest, SHA256_SIZE);
        memcpy(image.manifest, manifest->digest, SHA256_SIZE);
        span_to_string(manifest->fields.version, image.version, sizeof(image.version));
        if (manager_identity_add_image(m, AUDIT_ACTOR_RELAY, &image) < 0)
                manager_alert(m, "", REASON_STORE_FULL,
                              "the image of an approved update could not be noted as known: devices that install it go "
                              "into quarantine; make room ('relayctl images remove', [store] size_max)");
}

/* ---- appraisal */
static const struct device *find_registered(struct manager *m, const char *device)
{
        const struct device *d = registry_find(&m->registry, span_of_string(device));

        return d && d->registration == REGISTRATION_REGISTERED ? d : NULL;
}

enum reason manager_identity_rotate(const struct device *d, struct span rotation, struct device *to)
{
        struct rotation content;
        enum reason reason = rotation_check(rotation, d->identity, &d->key, &content);

        if (reason != REASON_NONE)
                return reason;
        if (content.number <= d->rotation)
                return REASON_OLD_ROTATION;
        if (key_fingerprint(&content.new_key, to->fingerprint) != RELAY_OK)
                return REASON_MALFORMED;
        memcpy(to->previous, d->fingerprint, SHA256_SIZE);
        to->key = content.new_key;
        to->rotation = content.number;
        return REASON_NONE;
}

bool manager_identity_key(void *context, const char *device, struct span rotation, struct public_key *out)
{
        const struct device *d = find_registered(context, device);
        struct device to;

        if (!d || !d->pinned)
                return false;
        to = *d;
        if (rotation.size > 0)
                (void)manager_identity_rotate(d, rotation, &to);
        *out = to.key;
        return true;
}

/* What has to be on the disk before the session opens; the time of the proof alone is not worth a write. */
static bool is_changed(const struct device *d, const struct device *to)
{
        return d->proved != to->proved || d->trust != to->trust || d->quarantine != to->quarantine ||
               d->boot_highest != to->boot_highest || d->rotation != to->rotation ||
               d->evidence.there != to->evidence.there || d->evidence.mode != to->evidence.mode ||
               d->evidence.sequence != to->evidence.sequence ||
               memcmp(d->evidence.image, to->evidence.image, SHA256_SIZE) != 0 ||
               memcmp(d->evidence.manifest, to->evidence.manifest, SHA256_SIZE) != 0;
}

static void note_evidence(const struct manager *m, struct device *to, const struct attestation_proof *proof)
{
        const struct dice_measurement *measured = &proof->evidence->measurement;

        to->proved = true;
        to->evidence = (struct device_evidence){
                .there = true, .mode = measured->mode, .sequence = measured->sequence, .time = m->broker->time
        };
        memcpy(to->evidence.image, measured->image, SHA256_SIZE);
        memcpy(to->evidence.manifest, measured->manifest, SHA256_SIZE);
        to->boot = proof->statement->boot;
}

/* The counter is the device's from now on. */
static void raise_boot(struct manager *m, struct device *to, uint32_t boot)
{
        if (boot <= to->boot_highest)
                return;
        to->boot_highest = boot;
        to->boots.since = m->broker->outbox ? outbox_last(m->broker->outbox) : 0;
        to->boots.number = 0;
        if (to->boots.heard <= boot)
                to->boots.heard = 0;
}

static const char *const rule_words[] = {
        [CLONE_RULE_ALERT] = "nothing is refused ([devices] clones = alert)",
        [CLONE_RULE_QUARANTINE] = "in quarantine until 'relayctl devices release'",
        [CLONE_RULE_REFUSE] = "no session for the older one ([devices] clones = refuse)",
};

static void __attribute__((format(printf, 3, 4)))
tell_clone(struct manager *m, struct device *d, const char *format, ...)
{
        char detail[VIEW_TEXT_MAX];
        va_list arguments;

        if (m->broker->now_ms < d->boots.alert_next_ms ||
            quota_take(&m->identity.alerts, &alert_rule, m->broker->now_ms).verdict != VERDICT_ALLOW)
                return;
        d->boots.alert_next_ms = m->broker->now_ms + CLONE_ALERT_MS;
        va_start(arguments, format);
        vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        manager_alert(m, d->identity, REASON_CLONED_DEVICE, detail);
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_CLONED, d->identity, detail);
}

/* A session's boot, told when it opens (or as its first word), after what the cloud told of the direct way until then.
 */
struct told {
        uint32_t boot;
        uint32_t number; /* of the session within its boot, 0: not known */
        bool was_open;   /* before the cloud told what it did */
};

/* *to: what is kept of it */
static enum clone_verdict judge_boot(struct manager *m, struct device *d, struct device *to, const struct told *told)
{
        uint32_t boot = told->boot, number = told->number, heard = told->was_open ? 0 : d->boots.heard;
        const struct clone_session facts = {
                .rule = m->conf->clones,
                .boot = boot,
                .highest = d->boot_highest,
                .heard = heard,
                .number = number,
                .last_number = d->boots.number,
        };
        enum clone_verdict verdict = clone_of_session(&facts);

        if (boot < d->boot_highest)
                tell_clone(m, d, "boot %" PRIu32 ", and boot %" PRIu32 " was here before: %s", boot, d->boot_highest,
                           rule_words[m->conf->clones]);
        else if (verdict != CLONE_NONE && boot < heard)
                tell_clone(m, d, "boot %" PRIu32 " is here, and the cloud tells of boot %" PRIu32 " on the direct way",
                           boot, heard);
        else if (verdict != CLONE_NONE)
                tell_clone(m, d, "two devices in boot %" PRIu32 ": session %" PRIu32 " after session %" PRIu32 "; %s",
                           boot, number, d->boots.number, rule_words[m->conf->clones]);
        to->boots.alert_next_ms = d->boots.alert_next_ms;
        if (verdict == CLONE_QUARANTINE)
                to->quarantine = REASON_CLONED_DEVICE;
        if (verdict == CLONE_REFUSE)
                return verdict;
        raise_boot(m, to, boot);
        to->boots.running = boot;
        if (number)
                to->boots.number = number;
        return verdict;
}

static void tell_quarantine(struct manager *m, const struct device *d)
{
        char detail[VIEW_TEXT_MAX], image[2 * SHA256_SIZE + 1] = "";

        span_to_hex(SPAN_OF(d->evidence.image), image, sizeof(image));
        if (d->quarantine == REASON_RECOVERY)
                snprintf(detail, sizeof(detail),
                         "it has no image left to run and fetches one; approve an update for it if none comes");
        else if (d->evidence.mode != DICE_MODE_NORMAL)
                snprintf(detail, sizeof(detail), "it runs in debug mode or was never set up: in quarantine");
        else
                snprintf(detail, sizeof(detail),
                         "it runs image %.*s..., which nobody approved or made known here: in quarantine; approve an "
                         "update, or 'relayctl images add MANIFEST'",
                         IMAGE_DIGITS, image);
        if (d->quarantine != REASON_CLONED_DEVICE)
                manager_alert(m, d->identity, d->quarantine, detail);
}

static void audit_changes(struct manager *m, const struct device *before, const struct device *d)
{
        char image[2 * SHA256_SIZE + 1], number[16];

        span_to_hex(SPAN_OF(d->evidence.image), image, sizeof(image));
        if (d->rotation != before->rotation) {
                snprintf(number, sizeof(number), "number %" PRIu32, d->rotation);
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_ROTATED, d->identity, number);
        }
        if (d->proved != before->proved)
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_PROVED, d->identity, image);
        if (d->quarantine == before->quarantine)
                return;
        if (d->quarantine != REASON_NONE)
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_QUARANTINED, d->identity, reason_name(d->quarantine));
        else
                manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_TRUSTED, d->identity, image);
}

/* 0, or why it cannot be kept: a session that the relay would forget is not opened */
static int keep(struct manager *m, struct device *d, const struct device *to, bool *staged)
{
        const struct device before = *d;
        int result;

        if (!is_changed(d, to)) {
                *staged = m->broker->durable < d->boots.commit; /* what an earlier session changed is under way */
                *d = *to;
                return 0;
        }
        result = registry_change(&m->registry, d, to);
        if (result < 0)
                return result;
        *staged = true;
        d->boots.commit = m->broker->commit + 1;
        audit_changes(m, &before, d);
        manager_changed(m, MANAGER_CHANGE_DEVICE, d->identity);
        return 0;
}

static bool is_known(const struct manager *m, const struct device *d)
{
        /* a stand-alone gate hears nothing of images, and has nothing to keep from a device */
        return m->gate.only || known_images_find(&m->identity.images, d->evidence.image);
}

static struct appraise_result decide(const struct manager *m, const struct device *to, bool proved)
{
        const struct appraise_facts facts = {
                .proved = proved,
                .level = to->level,
                .proved_before = to->proved,
                .mode = to->evidence.mode,
                .image_known = proved && is_known(m, to),
                .cloned = to->quarantine == REASON_CLONED_DEVICE,
        };

        return appraise_decide(&facts);
}

static enum reason appraise(struct manager *m, struct device *d, const struct attestation_proof *proof,
                            struct attestation_verdict *out)
{
        struct device to = *d;
        struct appraise_result result;
        int error;

        if (proof->evidence) {
                if (proof->statement->rotation.size > 0)
                        (void)manager_identity_rotate(d, proof->statement->rotation, &to);
                note_evidence(m, &to, proof);
                if (judge_boot(m, d, &to, &(struct told){ .boot = proof->statement->boot }) == CLONE_REFUSE)
                        return REASON_CLONED_DEVICE;
        } else {
                to.boots.running = 0; /* its state/relay will tell */
        }
        result = decide(m, &to, proof->evidence);
        if (result.reason != REASON_NONE) {
                manager_tell_unproven(
                        m, d->identity, result.reason,
                        "a plain CONNECT in its name was refused: it has to prove itself. Its firmware does not, "
                        "or what is between lies");
                return result.reason;
        }
        to.trust = result.trust;
        to.quarantine = result.quarantine;
        error = keep(m, d, &to, &out->staged);
        if (error < 0)
                return error == -ENOSPC ? REASON_STORE_FULL : REASON_STORE_FAILED;
        if (d->quarantine != REASON_NONE)
                tell_quarantine(m, d);
        out->trust = d->trust;
        out->quarantined = d->quarantine != REASON_NONE;
        return REASON_NONE;
}

void manager_appraise(void *context, const struct attestation_proof *proof, struct attestation_verdict *out)
{
        struct manager *m = context;
        struct device *d = registry_find(&m->registry, span_of_string(proof->device));

        manager_refresh(m);
        out->reason = d && d->registration == REGISTRATION_REGISTERED ? appraise(m, d, proof, out)
                                                                      : REASON_UNKNOWN_DEVICE;
}

/* ---- clones that show later */
static void set_waits(struct manager *m, struct device *d, bool waits)
{
        if (d->boots.waits == waits)
                return;
        d->boots.waits = waits;
        m->identity.waits += waits ? 1 : (size_t)-1;
}

/* Was its image made known, or forgotten, while its session waited for the disk? */
static bool is_outdated(const struct manager *m, const struct device *d)
{
        if (d->trust == TRUST_FRONT_END || d->evidence.mode != DICE_MODE_NORMAL)
                return false;
        return is_known(m, d) != (d->trust != TRUST_UNKNOWN_IMAGE);
}

void manager_identity_online(struct manager *m, struct device *d, const struct link *link, bool online)
{
        if (online) {
                d->boots.keep_alive_s = link->keep_alive_s;
                d->boots.opened_ms = m->broker->now_ms;
        }
        if (online && is_outdated(m, d))
                manager_identity_end(m, d, MQTT_ADMINISTRATIVE_ACTION);
        set_waits(m, d, false); /* that session is over, or this one was judged when it told its boot */
}

static void tell_both(struct manager *m, struct device *d)
{
        set_waits(m, d, false);
        tell_clone(m, d, "boot %" PRIu32 " is here, and the cloud tells of boot %" PRIu32 " on the direct way",
                   d->boots.running, d->boots.heard);
}

/* What a session says of its boot: all there is without a proof, and with one, which of them of the same boot it is. */
static void told_boot(struct manager *m, struct device *d, uint32_t boot, uint32_t number)
{
        const struct told told = { .boot = boot,
                                   .number = d->trust == TRUST_FRONT_END ? 0 : number,
                                   .was_open = d->boots.running || d->boots.opened_ms <= d->boots.heard_ms };
        struct device to = *d;
        enum clone_verdict verdict;
        bool staged;

        if (d->trust != TRUST_FRONT_END && boot != d->boots.running)
                return;
        verdict = judge_boot(m, d, &to, &told);
        if (verdict != CLONE_REFUSE)
                (void)keep(m, d, &to, &staged); /* a full store: told again by the next session */
        if (verdict == CLONE_QUARANTINE)
                manager_identity_end(m, d, MQTT_ADMINISTRATIVE_ACTION);
        else if (verdict == CLONE_REFUSE)
                manager_identity_end(m, d, MQTT_NOT_AUTHORIZED);
}

static bool read_state(struct span payload, uint32_t *boot, uint32_t *number, bool *online)
{
        struct flat_json json;
        uint64_t told, session;

        if (flat_json_decode(payload, &json) != RELAY_OK)
                return false;
        told = flat_json_number(&json, "boot", 0);
        session = flat_json_number(&json, "session", 0);
        *boot = (uint32_t)told;
        *number = session > UINT32_MAX ? 0 : (uint32_t)session;
        *online = flat_json_bool(&json, "online");
        return told > 0 && told <= UINT32_MAX;
}

void manager_identity_published(struct manager *m, const char *device, struct span rest, struct span payload)
{
        struct device *d = registry_find(&m->registry, span_of_string(device));
        uint32_t boot, number;
        bool online;

        if (!d)
                return;
        if (d->boots.waits && clone_of_packet(d->boots.heard_ms, m->broker->now_ms) == CLONE_ALERT)
                tell_both(m, d);
        if (span_equal_string(rest, "state/relay") && read_state(payload, &boot, &number, &online) && online)
                told_boot(m, d, boot, number);
}

void manager_identity_direct(struct manager *m, struct span device, struct span payload)
{
        struct device *d = registry_find(&m->registry, device);
        struct clone_direct facts = { 0 };
        uint32_t number;

        if (!d || d->registration != REGISTRATION_REGISTERED ||
            !read_state(payload, &facts.boot, &number, &facts.online))
                return;
        facts.highest = d->boot_highest;
        facts.running = d->sessions > 0 ? d->boots.running : 0;
        facts.settled = m->cloud && cloud_answered_after(m->cloud, d->boots.since);
        switch (clone_of_direct(&facts)) {
        case CLONE_ALERT:
                tell_clone(m, d,
                           "the cloud tells of boot %" PRIu32 " on the direct way, and boot %" PRIu32
                           " was here before",
                           facts.boot, d->boot_highest);
                return;
        case CLONE_WAIT:
                set_waits(m, d, true);
                break;
        case CLONE_NONE:
        case CLONE_QUARANTINE:
        case CLONE_REFUSE:
                break;
        }
        if (facts.online && facts.boot > d->boot_highest && facts.boot >= d->boots.heard) {
                d->boots.heard = facts.boot;
                d->boots.heard_ms = m->broker->now_ms;
        }
}

void manager_identity_tick(struct manager *m)
{
        for (size_t i = 0; i < m->registry.count && m->identity.waits > 0; i++) {
                struct device *d = m->registry.sorted[i];

                if (d->boots.waits &&
                    clone_of_silence(d->boots.heard_ms, m->broker->now_ms, d->boots.keep_alive_s) == CLONE_ALERT)
                        tell_both(m, d);
        }
}
