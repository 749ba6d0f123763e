/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-local: the local port of a device, for somebody who stands before it: shows who it is and whom it believes,
 * claims it for a site, takes successors, revocations, updates and certificates by file, rotates its identity key, and
 * unclaims it. The device must not run meanwhile.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/posix.h"

struct port {
        struct flash_file flash;
        struct boot boot;
        int argc;
        char **argv; /* behind the word */
};

static int complain(const char *what, const char *why)
{
        fprintf(stderr, "device-local: %s: %s\n", what, why);
        return 1;
}

static int load(const char *path, size_t max, uint8_t **data, size_t *size)
{
        int r = posix_read_file(path, max, data, size);
        return r < 0 ? complain(path, strerror(-r)) : 0;
}

static void show_policy(const struct site_policy *policy)
{
        char digest[POSIX_DIGEST_SIZE];

        printf("site            %s\n", policy->site);
        printf("site policy     epoch %llu, %zu of %zu approvers\n", (unsigned long long)policy->epoch,
               policy->threshold, policy->approver_count);
        printf("its digest      %s\n", posix_format_digest(policy->digest, digest));
}

/* what a certificate for it is asked with */
static int show_key(const struct boot *b, const char *what, uint32_t rotations, struct public_key *key)
{
        uint8_t fingerprint[SHA256_SIZE];
        char text[POSIX_DIGEST_SIZE];

        int r = boot_identity_key(b, rotations, key);
        if (r == 0)
                r = key_fingerprint(key, fingerprint);
        if (r < 0)
                return complain(b->identity, "its secret is not readable; provision it again");
        printf("%s%s\n", what, posix_format_digest(fingerprint, text));
        return 0;
}

static int show_identity(const struct boot *b)
{
        struct public_key key;

        printf("device          %s\n", b->identity);
        int status = show_key(b, "identity key    ", b->record.rotations, &key);
        if (b->record.rotations > 0)
                printf("rotated         %u times\n", (unsigned)b->record.rotations);
        if (status == 0 && b->record.rotate)
                status = show_key(b, "from next start ", b->record.rotations + 1, &key);
        if (b->certificate_count == 0)
                printf("no certificate yet: 'device-local certificate'\n");
        return status;
}

static int show(struct port *p)
{
        const struct boot *b = &p->boot;
        char digest[POSIX_DIGEST_SIZE];

        if (p->argc != 0)
                return 2;
        if (show_identity(b) != 0)
                return 1;
        printf("vendor keys     epoch %llu\n", (unsigned long long)b->vendor.epoch);
        printf("their digest    %s\n", posix_format_digest(b->vendor.digest, digest));
        printf("sequence floor  %llu\n", (unsigned long long)b->record.floor);
        if (!b->record.claimed) {
                printf("unclaimed: no site owns this device\n");
                return 0;
        }
        show_policy(&b->policy);
        printf("approval epoch  %llu\n", (unsigned long long)b->record.epoch_floor);
        printf("not before      %llu (Unix seconds)\n", (unsigned long long)b->record.time_floor);
        return 0;
}

/* A person compares: either what was typed or scanned here, or with his own eyes. */
static bool is_compared(const struct site_policy *policy, const char *expected)
{
        uint8_t digest[SHA256_SIZE];
        char answer[16] = "";

        if (expected)
                return span_from_hex(span_of_string(expected), digest, sizeof(digest)) &&
                       memcmp(digest, policy->digest, SHA256_SIZE) == 0;
        printf("Is this the digest that the approvers of the site read out? Type yes if it is: ");
        fflush(stdout);
        return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

static int claim_with(struct port *p, struct span set, const char *path, const char *expected)
{
        static uint8_t scratch[SITE_POLICY_MAX];
        static struct site_policy policy;

        if (p->boot.record.claimed)
                return complain(p->boot.identity, "a site owns it already; unclaim it first");
        enum reason reason = site_policy_accept_first(set, &policy, scratch, sizeof(scratch));
        if (reason != REASON_NONE)
                return complain(path, reason_explanation(reason));
        show_policy(&policy);
        if (!is_compared(&policy, expected))
                return complain(path, "another digest than the approvers' one; nothing was changed");
        int r = boot_claim(&p->boot, set, &reason);
        if (r < 0 || reason != REASON_NONE)
                return complain(path, r < 0 ? "the flash failed" : reason_explanation(reason));
        printf("%s belongs to %s now\n", p->boot.identity, p->boot.policy.site);
        return 0;
}

static int claim(struct port *p)
{
        const char *expected = p->argc == 3 && strcmp(p->argv[1], "--digest") == 0 ? p->argv[2] : NULL;
        uint8_t *data;
        size_t size;

        if (p->argc != 1 && !expected)
                return 2;
        if (load(p->argv[0], SITE_POLICY_MAX, &data, &size) != 0)
                return 1;
        int status = claim_with(p, span_of(data, size), p->argv[0], expected);
        free(data);
        return status;
}

static const struct {
        const char *word;
        enum port_boot_object object;
} objects[] = {
        { "policy", PORT_BOOT_POLICY },
        { "vendor-keys", PORT_BOOT_VENDOR },
        { "revocation", PORT_BOOT_REVOCATION },
};

static int accept_file(struct port *p, enum port_boot_object object, const char *path)
{
        enum reason reason;
        uint8_t *data;
        size_t size;

        if (load(path, SITE_POLICY_MAX, &data, &size) != 0)
                return 1;
        int r = boot_accept(&p->boot, object, span_of(data, size), &reason);
        free(data);
        if (r < 0 || reason != REASON_NONE)
                return complain(path, r < 0 ? "the flash failed" : reason_explanation(reason));
        printf("%s: in force\n", path);
        return 0;
}

static int accept(struct port *p)
{
        int status = 2;

        for (size_t i = 0; p->argc > 1 && i < sizeof(objects) / sizeof(objects[0]); i++)
                if (strcmp(p->argv[0], objects[i].word) == 0) {
                        status = 0;
                        for (int file = 1; file < p->argc && status == 0; file++)
                                status = accept_file(p, objects[i].object, p->argv[file]);
                }
        return status;
}

/* ---- updates */

static int measure(void *context, const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        const struct port *p = context;
        return crypto_sha256(span_of(p->flash.ram.memory + image->first * LAYOUT_SECTOR_SIZE, size), digest);
}

static int write_image(const struct flash_area *area, struct span image)
{
        int r = 0;

        for (uint32_t at = 0; at < image.size && r == 0; at += LAYOUT_SECTOR_SIZE) {
                r = flash_area_erase(area, at / LAYOUT_SECTOR_SIZE);
                if (r == 0)
                        r = flash_area_program(area, at, span_slice(image, at, LAYOUT_SECTOR_SIZE));
        }
        return r;
}

/* parts: manifest, image, approvals. The slot is valid only when all of it is there. */
static int write_slot(struct port *p, const struct span *parts, size_t count)
{
        unsigned slot = 1u - p->boot.record.confirmed_slot;
        struct flash_area manifest = layout_manifest(&p->flash.port, slot), image = layout_image(&p->flash.port, slot);

        int r = slot_invalidate(&manifest);
        if (r == 0)
                r = write_image(&image, parts[1]);
        return r == 0 ? slot_write(&manifest, parts[0], parts + 2, count - 2) : r;
}

static int install_parts(struct port *p, const struct span *parts, size_t count)
{
        struct flash_area slot = layout_manifest(&p->flash.port, 1u - p->boot.record.confirmed_slot);
        enum reason reason;

        if (p->boot.record.trial == BOOT_TRIAL_RUNNING)
                return complain(p->boot.identity, "it was switched off while it tried an image; start it once before");
        if (write_slot(p, parts, count) < 0 || boot_carry(&p->boot, &reason) < 0)
                return complain(p->boot.identity, "the flash failed, or it does not fit");
        if (reason != REASON_NONE) {
                (void)slot_invalidate(&slot);
                fprintf(stderr, "device-local: %s: %s: %s\n", p->argv[0], reason_name(reason),
                        reason_explanation(reason));
                return 1;
        }
        printf("%s will try it at its next start\n", p->boot.identity);
        return 0;
}

static int install(struct port *p)
{
        struct span parts[2 + SITE_APPROVERS_MAX];
        uint8_t *data[2 + SITE_APPROVERS_MAX] = { 0 };
        size_t count = (size_t)p->argc, loaded = 0, size;

        if (count < 2 || count > 2 + SITE_APPROVERS_MAX)
                return 2;
        for (; loaded < count; loaded++) {
                size_t max = loaded == 0 ? MANIFEST_MAX : loaded == 1 ? LAYOUT_IMAGE_SIZE : APPROVAL_MAX;
                if (load(p->argv[loaded], max, &data[loaded], &size) != 0)
                        break;
                parts[loaded] = span_of(data[loaded], size);
        }
        int status = loaded == count ? install_parts(p, parts, count) : 1;
        for (size_t i = 0; i < loaded; i++)
                free(data[i]);
        return status;
}

/* ---- identity */

static int certificate(struct port *p)
{
        struct span certificates[IDENTITY_CERTIFICATES_MAX];
        uint8_t *data;
        size_t count;

        if (p->argc != 1)
                return 2;
        int r = posix_read_certificates(p->argv[0], certificates, IDENTITY_CERTIFICATES_MAX, &count, &data);
        if (r < 0)
                return complain(p->argv[0], r == -EINVAL  ? "no certificate in PEM"
                                            : r == -E2BIG ? "more than the device's and one above it"
                                                          : strerror(-r));
        r = boot_certify(&p->boot, certificates, count);
        free(data);
        if (r < 0)
                return complain(p->argv[0], r == RELAY_E_KEY     ? "it is of none of this device's identity keys"
                                            : r == RELAY_E_RANGE ? "it is another device's, or too large"
                                            : r == PORT_E_IO     ? "the flash failed"
                                                                 : relay_result_string(r));
        printf("%s shows it from its next start on\n", p->boot.identity);
        return 0;
}

/* For a relay or cloud that must know the new key before the device comes with it. */
static int write_rotation(const struct port *p, uint32_t number, const char *path)
{
        uint8_t secret[DICE_SECRET_SIZE], bytes[ROTATION_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        int r = identity_read_secret(&p->flash.port, secret);
        if (r == 0)
                r = keys_rotation(&w, secret, number, p->boot.identity);
        crypto_wipe(secret, sizeof(secret));
        if (r < 0)
                return complain(p->boot.identity, relay_result_string(r));
        r = posix_write_file(path, writer_span(&w));
        return r < 0 ? complain(path, strerror(-r)) : 0;
}

/* rotate [--public FILE] [--statement FILE]; told again, it writes the files for the rotation that is due. */
static int rotate(struct port *p)
{
        const char *public_file = NULL, *statement = NULL;
        uint32_t number = p->boot.record.rotations + 1;
        struct public_key key;

        for (int i = 0; i + 1 < p->argc; i += 2)
                if (strcmp(p->argv[i], "--public") == 0)
                        public_file = p->argv[i + 1];
                else if (strcmp(p->argv[i], "--statement") == 0)
                        statement = p->argv[i + 1];
                else
                        return 2;
        if (p->argc % 2 != 0)
                return 2;
        if (boot_rotate(&p->boot) < 0)
                return complain(p->boot.identity, "the flash failed");
        int status = show_key(&p->boot, "from next start ", number, &key);
        if (status == 0 && statement)
                status = write_rotation(p, number, statement);
        int r = status == 0 && public_file ? posix_write_public_key(public_file, &key) : 0;
        return r < 0 ? complain(public_file, strerror(-r)) : status;
}

/* ---- the way back */

/* What still waits to be told was meant for the site that is forgotten here. */
static int erase_outbox(const struct port_flash *flash)
{
        struct flash_area area = layout_area(flash, LAYOUT_OUTBOX);
        int r = 0;

        for (uint32_t sector = 0; sector < area.count && r == 0; sector++)
                r = flash_area_erase(&area, sector);
        return r;
}

static int unclaim(struct port *p)
{
        if (p->argc != 1)
                return 2;
        if (strcmp(p->argv[0], p->boot.identity) != 0)
                return complain(p->argv[0], "this is another device; say the name of the one to unclaim");
        if (boot_unclaim(&p->boot) < 0 || erase_outbox(&p->flash.port) < 0)
                return complain(p->boot.identity, "the flash failed");
        printf("%s is unclaimed; it waits for a site policy\n", p->boot.identity);
        return 0;
}

static const struct {
        const char *word;
        int (*run)(struct port *p); /* exit status; 2: wrong use */
} words[] = {
        { "show", show },       { "claim", claim },     { "accept", accept },
        { "install", install }, { "unclaim", unclaim }, { "certificate", certificate },
        { "rotate", rotate },
};

static int open_device(struct port *p, const char *path)
{
        enum reason trust = REASON_NONE;

        int r = flash_file_open(&p->flash, path);
        if (r < 0)
                return complain(path, r == -EBUSY ? "this device runs; stop it first" : strerror(-r));
        struct boot_board board = { .flash = &p->flash.port, .load = measure, .context = p };
        r = boot_open(&p->boot, &board, &trust);
        if (r < 0)
                return complain(path, "not the flash of a provisioned device");
        return trust == REASON_NONE ? 0 : complain(path, "whom it believes is not readable; provision it again");
}

int main(int argc, char **argv)
{
        static struct port p;
        int status = 2;

        for (size_t i = 0; argc > 3 && strcmp(argv[1], "--flash") == 0 && i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(argv[3], words[i].word) == 0) {
                        p.argc = argc - 4;
                        p.argv = argv + 4;
                        status = open_device(&p, argv[2]);
                        if (status == 0)
                                status = words[i].run(&p);
                }
        if (status == 2)
                fprintf(stderr, "usage: device-local --flash FILE show | claim POLICY [--digest HEX] | "
                                "accept policy|vendor-keys|revocation FILE... | install MANIFEST IMAGE APPROVAL... | "
                                "certificate CHAIN.pem | rotate [--public FILE] [--statement FILE] | unclaim NAME\n");
        return status;
}
