/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-provision: the factory of one device. Writes a flash file with identity, key, certificates, vendor key set and
 * a first image in slot A, which counts as confirmed; and claims the device for a site, if it gets a site policy.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/boot.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/posix.h"

struct blob {
        uint8_t *data;
        size_t size;
};

struct provision {
        const char *flash, *identity, *key, *certificate, *vendor, *policy, *manifest, *image;
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

static int read_identity(const struct provision *p, struct device_identity *identity)
{
        struct blob chain;

        if (!identity_is_device(span_of_string(p->identity)))
                return complain(p->identity, "an identity is 1 to 40 characters of a-z, 0-9 and -");
        (void)span_to_string(span_of_string(p->identity), identity->name, sizeof(identity->name));
        int r = posix_read_key(p->key, identity->seed);
        if (r < 0)
                return complain(p->key, r == -EINVAL ? "not an unencrypted Ed25519 key in PKCS#8 PEM" : strerror(-r));
        r = load(p->certificate, TRUST_CERTIFICATES_MAX, &chain);
        if (r < 0)
                return r;
        memcpy(identity->certificates, chain.data, chain.size);
        identity->certificates_size = chain.size;
        free(chain.data);
        return 0;
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

static int write_image(const struct port_flash *flash, const struct blob *image)
{
        struct flash_area area = layout_image(flash, 0);

        for (uint32_t at = 0; at < image->size; at += LAYOUT_SECTOR_SIZE) {
                struct span part = span_slice(span_of(image->data, image->size), at, LAYOUT_SECTOR_SIZE);
                int r = flash_area_program(&area, at, part);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_image(const struct provision *p, const struct blob *image, const struct manifest_verified *manifest)
{
        uint8_t digest[SHA256_SIZE];

        if (crypto_sha256(span_of(image->data, image->size), digest) != 0 ||
            memcmp(digest, manifest->fields.image_digest, SHA256_SIZE) != 0)
                return complain(p->image, reason_explanation(REASON_IMAGE_DIGEST));
        return 0;
}

static int write_slot(const struct provision *p, const struct port_flash *flash, const struct vendor_keys *vendor,
                      struct blob *envelope, struct manifest_verified *manifest)
{
        struct manifest_unverified unverified;
        struct span approvals[SITE_APPROVERS_MAX];
        struct flash_area area = layout_manifest(flash, 0);
        struct blob image;

        enum reason reason = manifest_decode(span_of(envelope->data, envelope->size), &unverified);
        if (reason == REASON_NONE)
                reason = manifest_verify(&unverified, vendor, manifest);
        if (reason != REASON_NONE)
                return complain(p->manifest, reason_explanation(reason));
        int r = load(p->image, LAYOUT_IMAGE_SIZE, &image);
        if (r < 0)
                return r;
        r = check_image(p, &image, manifest);
        for (size_t i = 0; i < p->approval_count && r == 0; i++) {
                struct blob approval;
                r = load(p->approvals[i], APPROVAL_MAX, &approval);
                approvals[i] = r == 0 ? span_of(approval.data, approval.size) : SPAN_EMPTY;
        }
        if (r == 0)
                r = write_image(flash, &image);
        if (r == 0)
                r = slot_write(&area, span_of(envelope->data, envelope->size), approvals, p->approval_count);
        free(image.data);
        return r;
}

static int write_device(const struct provision *p, const struct port_flash *flash, struct span vendor_set,
                        const struct vendor_keys *vendor)
{
        static struct device_identity identity;
        struct manifest_verified manifest;
        struct blob envelope;

        int r = read_identity(p, &identity);
        if (r == 0)
                r = load(p->manifest, MANIFEST_MAX, &envelope);
        if (r < 0)
                return r;
        r = write_slot(p, flash, vendor, &envelope, &manifest);
        if (r == 0) {
                memcpy(identity.class_id, manifest.fields.class_id, CLASS_ID_SIZE);
                r = trust_write_identity(flash, &identity);
        }
        if (r == 0)
                r = boot_provision(flash, vendor_set, manifest.fields.sequence, manifest.digest);
        free(envelope.data);
        crypto_wipe(&identity, sizeof(identity));
        return r;
}

static int write_all(const struct provision *p, const struct port_flash *flash)
{
        struct vendor_keys vendor;
        struct blob set = { 0 };

        int r = read_vendor(p, &set, &vendor);
        if (r == 0)
                r = write_device(p, flash, span_of(set.data, set.size), &vendor);
        free(set.data);
        return r == 0 && p->policy ? claim(p, flash) : r;
}

static int parse(struct provision *p, int argc, char **argv)
{
        static const struct option options[] = {
                { "flash", required_argument, NULL, 'f' },       { "identity", required_argument, NULL, 'i' },
                { "key", required_argument, NULL, 'k' },         { "certificate", required_argument, NULL, 'c' },
                { "vendor-keys", required_argument, NULL, 'v' }, { "site-policy", required_argument, NULL, 'p' },
                { "manifest", required_argument, NULL, 'm' },    { "image", required_argument, NULL, 'I' },
                { "approval", required_argument, NULL, 'a' },    { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                const char **fields[128] = {
                        ['f'] = &p->flash,  ['i'] = &p->identity, ['k'] = &p->key,      ['c'] = &p->certificate,
                        ['v'] = &p->vendor, ['p'] = &p->policy,   ['m'] = &p->manifest, ['I'] = &p->image
                };
                if (c == 'a' && p->approval_count < SITE_APPROVERS_MAX)
                        p->approvals[p->approval_count++] = optarg;
                else if (c > 0 && c < 128 && fields[c])
                        *fields[c] = optarg;
                else
                        return -EINVAL;
        }
        bool complete = p->flash && p->identity && p->key && p->certificate && p->vendor && p->manifest && p->image;
        return complete && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        struct provision p = { 0 };
        struct flash_file file;

        if (parse(&p, argc, argv) < 0) {
                fprintf(stderr,
                        "usage: device-provision --flash FILE --identity NAME --key KEY.pem --certificate CHAIN.pem "
                        "--vendor-keys FILE --manifest ENVELOPE --image FILE [--site-policy FILE] [--approval "
                        "FILE]...\n");
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
