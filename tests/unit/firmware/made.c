/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "made.h"

#include "relay/der.h"

const uint8_t made_secret[DICE_SECRET_SIZE] = "the secret of every device here";
static const struct made_image *recovery;

static void put_name(struct writer *w, const char *oid, const char *text)
{
        size_t set = der_begin(w, DER_SET), pair = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_OID, span_of_string(oid));
        der_put(w, DER_UTF8_STRING, span_of_string(text));
        der_end(w, pair);
        der_end(w, set);
}

static void put_extensions(struct writer *w, const struct public_key *key)
{
        size_t tag = der_begin(w, DER_CONTEXT_CONSTRUCTED(3)), list = der_begin(w, DER_SEQUENCE);
        size_t extension = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_OID, SPAN_LITERAL("\x55\x1d\x0e")); /* subjectKeyIdentifier */
        size_t value = der_begin(w, DER_OCTET_STRING);
        der_put(w, DER_OCTET_STRING, span_of(key->bytes, 20));
        der_end(w, value);
        der_end(w, extension);
        der_end(w, list);
        der_end(w, tag);
}

static void put_tbs(struct writer *w, const char *name, const struct public_key *key)
{
        size_t tbs = der_begin(w, DER_SEQUENCE), version = der_begin(w, DER_CONTEXT_CONSTRUCTED(0));
        uint8_t spki[KEY_SPKI_MAX];

        der_put_u32(w, 2);
        der_end(w, version);
        der_put_u32(w, 1);
        der_put(w, DER_SEQUENCE, SPAN_EMPTY); /* algorithm */
        der_put(w, DER_SEQUENCE, SPAN_EMPTY); /* issuer */
        der_put(w, DER_SEQUENCE, SPAN_EMPTY); /* validity */
        size_t subject = der_begin(w, DER_SEQUENCE);
        put_name(w, "\x55\x04\x0a", "acme");
        put_name(w, "\x55\x04\x03", name);
        der_end(w, subject);
        writer_bytes(w, span_of(spki, key_to_spki(key, spki)));
        put_extensions(w, key);
        der_end(w, tbs);
}

struct span made_certificate(const char *name, const struct public_key *key)
{
        static uint8_t bytes[IDENTITY_CERTIFICATE_SIZE];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        size_t certificate = der_begin(&w, DER_SEQUENCE);
        put_tbs(&w, name, key);
        der_put(&w, DER_SEQUENCE, SPAN_EMPTY);
        der_put_bits(&w, SPAN_EMPTY);
        der_end(&w, certificate);
        assert_int_equal(writer_finish(&w), RELAY_OK);
        return writer_span(&w);
}

void made_sign(struct made_image *image, const enum who *signers, size_t count)
{
        uint8_t buffers[2][MANIFEST_MAX];
        struct manifest_unverified decoded;
        struct writer w;

        writer_init(&w, buffers[0], MANIFEST_MAX);
        assert_int_equal(manifest_encode(&w, &image->fields), RELAY_OK);
        for (size_t i = 0; i < count; i++) {
                struct signer signer = who(signers[i]);
                struct span before = writer_span(&w);
                writer_init(&w, buffers[(i + 1) % 2], MANIFEST_MAX);
                assert_int_equal(manifest_add_signature(&w, before, &signer), RELAY_OK);
        }
        memcpy(image->envelope_bytes, writer_span(&w).data, w.at);
        image->envelope = span_of(image->envelope_bytes, w.at);
        assert_int_equal(manifest_decode(image->envelope, &decoded), REASON_NONE);
        memcpy(image->manifest, decoded.digest, SHA256_SIZE);
        made_approve(image, sample_approval(image->manifest), (const enum who[]){ APPROVER_1, APPROVER_2 });
}

void made_approve(struct made_image *image, struct approval approval, const enum who approvers[2])
{
        memcpy(approval.manifest_digest, image->manifest, SHA256_SIZE);
        for (size_t i = 0; i < 2; i++)
                image->approvals[i] = write_approval(image->approval_bytes[i], APPROVAL_MAX, &approval, approvers[i]);
}

void made_image(struct made_image *image, uint8_t tag, uint64_t sequence)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };

        memset(image, 0, sizeof(*image));
        for (size_t i = 0; i < MADE_IMAGE_SIZE; i++)
                image->bytes[i] = (uint8_t)(i * 7 + i / 256 + tag);
        for (uint32_t i = 0; i < image_block_count(MADE_IMAGE_SIZE); i++) {
                struct span block = span_slice(SPAN_OF(image->bytes), i * IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE);
                assert_int_equal(crypto_sha256(block, image->list + i * SHA256_SIZE), RELAY_OK);
        }
        assert_int_equal(crypto_sha256(SPAN_OF(image->bytes), image->digest), RELAY_OK);
        image->fields = sample_manifest();
        image->fields.sequence = sequence;
        image->fields.image_size = MADE_IMAGE_SIZE;
        memcpy(image->fields.image_digest, image->digest, SHA256_SIZE);
        assert_int_equal(crypto_sha256(SPAN_OF(image->list), image->fields.block_list_digest), RELAY_OK);
        made_sign(image, both, 2);
}

static int load(void *context, const struct flash_area *area, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        static uint8_t memory[LAYOUT_IMAGE_SIZE];
        struct made_device *d = context;

        memset(d->executed, 0, SHA256_SIZE);
        int r = flash_area_read(area, 0, memory, size);
        if (r == 0)
                r = crypto_sha256(span_of(memory, size), digest);
        if (r == 0)
                memcpy(d->executed, digest, SHA256_SIZE);
        return r;
}

uint8_t *made_area(struct made_device *d, enum layout_area area)
{
        return d->memory + (size_t)layout_area(&d->flash, area).first * LAYOUT_SECTOR_SIZE;
}

void made_power(struct made_device *d, uint64_t cut_after)
{
        flash_ram_init(&d->ram, d->memory, LAYOUT_SECTOR_SIZE, LAYOUT_SECTORS);
        d->ram.cut_after = cut_after;
        d->flash = flash_ram_port(&d->ram);
        d->board = (struct boot_board){ .flash = &d->flash, .load = load, .context = d };
}

static int write_image(const struct flash_area *manifests, const struct flash_area *images,
                       const struct made_image *image, size_t approvals)
{
        int r = slot_invalidate(manifests);

        for (uint32_t i = 0; i < image_block_count(MADE_IMAGE_SIZE) && r == 0; i++) {
                struct span block = span_slice(SPAN_OF(image->bytes), i * IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE);
                r = flash_area_erase(images, i);
                if (r == 0)
                        r = flash_area_program(images, i * IMAGE_BLOCK_SIZE, block);
        }
        return r == 0 ? slot_write(manifests, image->envelope, image->approvals, approvals) : r;
}

int made_write(struct made_device *d, unsigned slot, const struct made_image *image, size_t approvals)
{
        struct flash_area images = layout_image(&d->flash, slot), manifests = layout_manifest(&d->flash, slot);
        return write_image(&manifests, &images, image, approvals);
}

void made_recovery(const struct made_image *image)
{
        recovery = image;
}

static void write_recovery(struct made_device *d)
{
        struct flash_area images = layout_area(&d->flash, LAYOUT_RECOVERY_IMAGE),
                          manifests = layout_area(&d->flash, LAYOUT_RECOVERY_MANIFEST);
        assert_int_equal(write_image(&manifests, &images, recovery, 0), 0);
}

struct site_policy made_policy(void)
{
        return sample_policy(3, 2);
}

struct site_policy made_next_policy(const struct site_policy *current)
{
        struct site_policy next = *current;

        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, current->digest, SHA256_SIZE);
        return next;
}

struct vendor_keys made_next_vendor(const struct vendor_keys *current)
{
        struct vendor_keys next = *current;

        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, current->digest, SHA256_SIZE);
        return next;
}

struct span made_policy_set(const struct site_policy *policy, const enum who *signers, size_t count)
{
        static uint8_t bytes[SITE_POLICY_MAX];
        return write_policy_set(bytes, sizeof(bytes), policy, signers, count);
}

struct span made_vendor_set(const struct vendor_keys *keys, const enum who *signers, size_t count)
{
        static uint8_t bytes[VENDOR_KEYS_SET_MAX];
        uint8_t payload[VENDOR_KEYS_SET_MAX];
        struct writer w;

        writer_init(&w, payload, sizeof(payload));
        assert_int_equal(vendor_keys_encode(&w, keys), RELAY_OK);
        return sign_set(bytes, sizeof(bytes), SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), signers, count);
}

struct span made_revocation(const char *site, uint64_t epoch, uint64_t issued, const enum who *signers, size_t count)
{
        static uint8_t bytes[REVOCATION_MAX];
        struct revocation revocation = { .epoch = epoch, .issued = issued };
        uint8_t payload[128];
        struct writer w;

        assert_true(span_to_string(span_of_string(site), revocation.site, sizeof(revocation.site)));
        writer_init(&w, payload, sizeof(payload));
        assert_int_equal(revocation_encode(&w, &revocation), RELAY_OK);
        return sign_set(bytes, sizeof(bytes), SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), signers, count);
}

void made_unclaimed_device(struct made_device *d, const struct made_image *image)
{
        static uint8_t vendor[VENDOR_KEYS_SET_MAX];
        struct boot_factory factory = { .secret = made_secret,
                                        .vendor_set = write_vendor_set(vendor, sizeof(vendor)),
                                        .manifest = image->manifest,
                                        .sequence = image->fields.sequence,
                                        .recovery = recovery ? recovery->manifest : NULL };
        struct public_key key;

        memset(d->memory, 0xff, sizeof(d->memory));
        d->power_on = false;
        made_power(d, 0);
        strcpy(factory.identity.name, "device-1");
        memset(factory.identity.class_id, 0xc1, CLASS_ID_SIZE);
        assert_int_equal(keys_identity(made_secret, 0, &key), 0);
        factory.identity.certificates[0] = made_certificate("device-1", &key);
        factory.identity.certificate_count = 1;
        assert_int_equal(made_write(d, 0, image, 0), 0);
        if (recovery)
                write_recovery(d);
        assert_int_equal(boot_provision(&d->flash, &factory), 0);
}

void made_device(struct made_device *d, const struct made_image *image)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        struct site_policy policy = made_policy();
        enum reason reason = REASON_COUNT;

        made_unclaimed_device(d, image);
        assert_int_equal(boot_open(&d->boot, &d->board, &reason), 0);
        assert_int_equal(reason, REASON_NONE);
        assert_int_equal(boot_claim(&d->boot, made_policy_set(&policy, approvers, 2), &reason), 0);
        assert_int_equal(reason, REASON_NONE);
}

int made_start(struct made_device *d, struct boot_outcome *outcome)
{
        d->board.power_on = d->power_on;
        return boot_start(&d->boot, &d->board, outcome);
}
