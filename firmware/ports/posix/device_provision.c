/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-provision: the factory of one device. Writes a flash file with device secret, identity, certificates, vendor
 * key set, a first image in slot A, which counts as confirmed, and the recovery image; and claims the device for a
 * site, if it gets a site policy.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/verify.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/posix.h"

struct blob {
        uint8_t *data;
        size_t size;
};

struct provision {
        const char *flash, *identity, *secret, *certificate, *public, *vendor, *policy;
        const char *manifest, *image, *recovery_manifest, *recovery;
        bool new_secret;
        const char *approvals[SITE_APPROVERS_MAX];
        size_t approval_count;
};

static int complain(const char *what, const char *why)
{
        fprintf(stderr, "device-provision: %s: %s\n", what, why);
        return -EINVAL;
}

static int complain_of(const char *what, enum reason object, enum reason reason)
{
        fprintf(stderr, "device-provision: %s: %s (%s)\n", what, reason_explanation(object),
                reason_explanation(reason));
        return -EINVAL;
}

static int load(const char *path, size_t max, struct blob *out)
{
        int r = posix_read_file(path, max, &out->data, &out->size);
        return r < 0 ? complain(path, strerror(-r)) : 0;
}

/* from a file, or made here: then it is nowhere else */
static int read_secret(const struct provision *p, uint8_t secret[DICE_SECRET_SIZE])
{
        struct blob file;

        if (p->new_secret) {
                struct port_entropy entropy = posix_entropy();
                return entropy.fill(entropy.context, secret, DICE_SECRET_SIZE);
        }
        int r = load(p->secret, DICE_SECRET_SIZE, &file);
        if (r < 0)
                return r;
        if (file.size == DICE_SECRET_SIZE)
                memcpy(secret, file.data, DICE_SECRET_SIZE);
        else
                r = complain(p->secret, "a device secret is a file of 32 bytes");
        crypto_wipe(file.data, file.size);
        free(file.data);
        return r;
}

/* *chain: what the certificates point into; the caller's */
static int read_identity(const struct provision *p, const uint8_t secret[DICE_SECRET_SIZE],
                         struct device_identity *identity, uint8_t **chain)
{
        uint32_t rotations;

        if (!identity_is_device(span_of_string(p->identity)))
                return complain(p->identity, "an identity is 1 to 40 characters of a-z, 0-9 and -");
        (void)span_to_string(span_of_string(p->identity), identity->name, sizeof(identity->name));
        if (!p->certificate)
                return 0;
        int r = posix_read_certificates(p->certificate, identity->certificates, IDENTITY_CERTIFICATES_MAX,
                                        &identity->certificate_count, chain);
        if (r < 0)
                return complain(p->certificate, r == -EINVAL  ? "no certificate in PEM"
                                                : r == -E2BIG ? "more than the device's and one above it"
                                                              : strerror(-r));
        if (!identity_is_named(identity->certificates[0], p->identity))
                return complain(p->certificate, "it is not of this identity");
        r = keys_find(secret, 0, identity->certificates[0], &rotations);
        if (r < 0)
                return complain(p->certificate,
                                r == RELAY_E_KEY ? "it is not of this secret's identity key" : relay_result_string(r));
        return 0;
}

static int show_key(const struct provision *p, const uint8_t secret[DICE_SECRET_SIZE])
{
        uint8_t fingerprint[SHA256_SIZE];
        char text[POSIX_DIGEST_SIZE];
        struct public_key key;

        int r = keys_identity(secret, 0, &key);
        if (r == 0)
                r = key_fingerprint(&key, fingerprint);
        if (r < 0)
                return complain(p->identity, relay_result_string(r));
        printf("%s: SHA-256 of its identity key:\n%s\n", p->identity, posix_format_digest(fingerprint, text));
        r = p->public ? posix_write_public_key(p->public, &key) : 0;
        return r < 0 ? complain(p->public, strerror(-r)) : 0;
}

/* The first set proves itself; for one of a later epoch the factory vouches: the sites whose people signed it are not
 * this device's. */
static int read_vendor(const struct provision *p, struct blob *set, struct vendor_keys *vendor)
{
        static uint8_t scratch[VENDOR_KEYS_SET_MAX];

        int r = load(p->vendor, VENDOR_KEYS_SET_MAX, set);
        if (r < 0)
                return r;
        enum reason reason = vendor_keys_read(span_of(set->data, set->size), vendor);
        if (reason == REASON_NONE && vendor->epoch <= 1)
                reason = vendor_keys_accept_first(span_of(set->data, set->size), vendor, scratch, sizeof(scratch));
        return reason == REASON_NONE ? 0 : complain_of(p->vendor, REASON_VENDOR_KEYS_INVALID, reason);
}

/* By the boot stage's own hands, so that a device that cannot start is not made. */
static int claim(const struct provision *p, const struct port_flash *flash)
{
        static struct boot boot;
        struct boot_board board = { .flash = flash };
        char digest[POSIX_DIGEST_SIZE];
        enum reason reason;
        struct blob site;

        int r = load(p->policy, SITE_POLICY_MAX, &site);
        if (r < 0)
                return r;
        r = boot_open(&boot, &board, &reason);
        if (r == 0 && reason == REASON_NONE)
                r = boot_claim(&boot, span_of(site.data, site.size), &reason);
        free(site.data);
        if (r < 0)
                return complain(p->flash, relay_result_string(r));
        if (reason != REASON_NONE)
                return complain_of(p->policy, REASON_POLICY_INVALID, reason);
        printf("%s belongs to %s; compare the digest of its site policy:\n%s\n", p->identity, boot.policy.site,
               posix_format_digest(boot.policy.digest, digest));
        return 0;
}

static int write_image(const struct flash_area *area, const struct blob *image)
{
        for (uint32_t at = 0; at < image->size; at += LAYOUT_SECTOR_SIZE) {
                struct span part = span_slice(span_of(image->data, image->size), at, LAYOUT_SECTOR_SIZE);
                int r = flash_area_program(area, at, part);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* an image with its manifest, and where both go */
struct software {
        const char *manifest_path, *image_path;
        struct flash_area manifests, images;
        const char *const *approvals;
        size_t approval_count;
        uint8_t digest[SHA256_SIZE]; /* of the manifest */
        uint8_t class_id[CLASS_ID_SIZE];
        uint64_t sequence;
};

static int verify_manifest(struct software *s, const struct vendor_keys *vendor, const struct blob *envelope,
                           struct manifest_verified *manifest)
{
        struct manifest_unverified unverified;

        enum reason reason = manifest_decode(span_of(envelope->data, envelope->size), &unverified);
        if (reason == REASON_NONE)
                reason = manifest_verify(&unverified, vendor, manifest);
        if (reason != REASON_NONE)
                return complain(s->manifest_path, reason_explanation(reason));
        memcpy(s->digest, manifest->digest, SHA256_SIZE);
        memcpy(s->class_id, manifest->fields.class_id, CLASS_ID_SIZE);
        s->sequence = manifest->fields.sequence;
        return 0;
}

static int write_approved(const struct software *s, const struct blob *envelope)
{
        struct span approvals[SITE_APPROVERS_MAX];
        int r = 0;

        for (size_t i = 0; i < s->approval_count && r == 0; i++) {
                struct blob approval;
                r = load(s->approvals[i], APPROVAL_MAX, &approval);
                approvals[i] = r == 0 ? span_of(approval.data, approval.size) : SPAN_EMPTY;
        }
        if (r == 0 &&
            slot_write(&s->manifests, span_of(envelope->data, envelope->size), approvals, s->approval_count) < 0)
                r = complain(s->manifest_path, "it does not fit, or the flash failed");
        return r;
}

static int write_software(struct software *s, const struct vendor_keys *vendor)
{
        struct manifest_verified manifest;
        struct blob envelope, image;

        int r = load(s->manifest_path, MANIFEST_MAX, &envelope);
        if (r < 0)
                return r;
        r = verify_manifest(s, vendor, &envelope, &manifest);
        if (r == 0)
                r = load(s->image_path, LAYOUT_IMAGE_SIZE, &image);
        if (r == 0) {
                r = write_image(&s->images, &image);
                free(image.data);
        }
        if (r == 0 && verify_written(&s->images, &manifest.fields) != REASON_NONE)
                r = complain(s->image_path, reason_explanation(REASON_IMAGE_DIGEST));
        if (r == 0)
                r = write_approved(s, &envelope);
        free(envelope.data);
        return r;
}

static int write_recovery(const struct provision *p, const struct port_flash *flash, const struct vendor_keys *vendor,
                          const struct software *first, struct software *recovery)
{
        *recovery = (struct software){ .manifest_path = p->recovery_manifest,
                                       .image_path = p->recovery,
                                       .manifests = layout_area(flash, LAYOUT_RECOVERY_MANIFEST),
                                       .images = layout_area(flash, LAYOUT_RECOVERY_IMAGE) };
        int r = write_software(recovery, vendor);
        if (r == 0 && memcmp(recovery->class_id, first->class_id, CLASS_ID_SIZE) != 0)
                r = complain(p->recovery_manifest, "another class than the first image's");
        return r;
}

static int write_device(const struct provision *p, const struct port_flash *flash, struct boot_factory *factory,
                        const struct vendor_keys *vendor)
{
        struct software first = { .manifest_path = p->manifest,
                                  .image_path = p->image,
                                  .manifests = layout_manifest(flash, 0),
                                  .images = layout_image(flash, 0),
                                  .approvals = p->approvals,
                                  .approval_count = p->approval_count };
        struct software recovery;

        int r = write_software(&first, vendor);
        if (r == 0 && p->recovery)
                r = write_recovery(p, flash, vendor, &first, &recovery);
        if (r < 0)
                return r;
        memcpy(factory->identity.class_id, first.class_id, CLASS_ID_SIZE);
        factory->manifest = first.digest;
        factory->sequence = first.sequence;
        factory->recovery = p->recovery ? recovery.digest : NULL;
        r = boot_provision(flash, factory);
        return r < 0 ? complain(p->flash, relay_result_string(r)) : 0;
}

static int write_with_secret(const struct provision *p, const struct port_flash *flash,
                             const uint8_t secret[DICE_SECRET_SIZE])
{
        struct boot_factory factory = { .secret = secret };
        struct vendor_keys vendor;
        struct blob set = { 0 };
        uint8_t *chain = NULL;

        int r = read_identity(p, secret, &factory.identity, &chain);
        if (r == 0)
                r = read_vendor(p, &set, &vendor);
        factory.vendor_set = span_of(set.data, set.size);
        if (r == 0)
                r = write_device(p, flash, &factory, &vendor);
        if (r == 0)
                r = show_key(p, secret);
        free(set.data);
        free(chain);
        return r;
}

static int write_all(const struct provision *p, const struct port_flash *flash)
{
        uint8_t secret[DICE_SECRET_SIZE];

        int r = read_secret(p, secret);
        if (r == 0)
                r = write_with_secret(p, flash, secret);
        crypto_wipe(secret, sizeof(secret));
        return r == 0 && p->policy ? claim(p, flash) : r;
}

static int parse(struct provision *p, int argc, char **argv)
{
        static const struct option options[] = {
                { "flash", required_argument, NULL, 'f' },
                { "identity", required_argument, NULL, 'i' },
                { "secret", required_argument, NULL, 's' },
                { "new-secret", no_argument, NULL, 'n' },
                { "certificate", required_argument, NULL, 'c' },
                { "public", required_argument, NULL, 'P' },
                { "vendor-keys", required_argument, NULL, 'v' },
                { "site-policy", required_argument, NULL, 'p' },
                { "manifest", required_argument, NULL, 'm' },
                { "image", required_argument, NULL, 'I' },
                { "recovery-manifest", required_argument, NULL, 'r' },
                { "recovery", required_argument, NULL, 'R' },
                { "approval", required_argument, NULL, 'a' },
                { 0 },
        };
        const char **fields[128] = { ['f'] = &p->flash,   ['i'] = &p->identity,
                                     ['s'] = &p->secret,  ['c'] = &p->certificate,
                                     ['P'] = &p->public,  ['v'] = &p->vendor,
                                     ['p'] = &p->policy,  ['m'] = &p->manifest,
                                     ['I'] = &p->image,   ['r'] = &p->recovery_manifest,
                                     ['R'] = &p->recovery };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c == 'a' && p->approval_count < SITE_APPROVERS_MAX)
                        p->approvals[p->approval_count++] = optarg;
                else if (c == 'n')
                        p->new_secret = true;
                else if (c > 0 && c < 128 && fields[c])
                        *fields[c] = optarg;
                else
                        return -EINVAL;
        }
        bool complete = p->flash && p->identity && p->vendor && p->manifest && p->image;
        bool has_secret = !p->secret == p->new_secret && (p->certificate || p->new_secret);
        return complete && has_secret && !p->recovery == !p->recovery_manifest && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        struct provision p = { 0 };
        struct flash_file file;

        if (parse(&p, argc, argv) < 0) {
                fprintf(stderr,
                        "usage: device-provision --flash FILE --identity NAME --secret FILE --certificate CHAIN.pem "
                        "--vendor-keys FILE --manifest ENVELOPE --image FILE [--recovery-manifest ENVELOPE --recovery "
                        "FILE] [--site-policy FILE] [--public FILE] [--approval FILE]...\n"
                        "       device-provision --new-secret [--certificate CHAIN.pem] ... makes the secret in FILE "
                        "alone, and shows the key that needs a certificate\n");
                return 2;
        }
        int r = flash_file_create(p.flash);
        if (r == 0)
                r = flash_file_open(&file, p.flash);
        if (r < 0) {
                complain(p.flash, r == -EEXIST ? "exists; remove it to make a new device" : strerror(-r));
                return 1;
        }
        r = write_all(&p, &file.port);
        if (r < 0) {
                fprintf(stderr, "device-provision: no device was made\n");
                unlink(p.flash);
        }
        return r < 0 ? 1 : 0;
}
