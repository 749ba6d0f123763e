/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * librelay's objects for tests in other languages: one request per line on stdin, one answer per line on stdout.
 *
 *     request: VERB ARGUMENT...     bytes are hexadecimal, "-" is none
 *     answer:  ok WORD... | refused REASON | error RESULT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objtool.h"
#include "relay/approval.h"
#include "relay/factory.h"

#define LINE_MAX_SIZE (1 << 17)

uint8_t out_bytes[ARGUMENT_BYTES], scratch[ARGUMENT_BYTES];

static int sign_with_seed(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

/* argument i as bytes; a test that sends no hexadecimal is a broken test */
struct span bytes_of(struct request *q, size_t i)
{
        const char *word = i < q->count ? q->words[i] : "-";
        size_t size = strlen(word) / 2;

        if (strcmp(word, "-") == 0)
                return SPAN_EMPTY;
        if (size > ARGUMENT_BYTES || !span_from_hex(span_of_string(word), q->bytes[i], size)) {
                fprintf(stderr, "objtool: argument %zu of %s is no hexadecimal\n", i, q->words[0]);
                exit(2);
        }
        return span_of(q->bytes[i], size);
}

struct signer signer_of(struct request *q, size_t i)
{
        struct signer signer = { .sign = sign_with_seed, .context = q->bytes[i] };

        if (bytes_of(q, i).size != ED25519_SEED_SIZE || crypto_ed25519_public(q->bytes[i], &signer.key) != RELAY_OK) {
                fprintf(stderr, "objtool: argument %zu of %s is no seed\n", i, q->words[0]);
                exit(2);
        }
        return signer;
}

void print_hex(const char *name, struct span bytes)
{
        printf(" %s=", name);
        for (size_t i = 0; i < bytes.size; i++)
                printf("%02x", bytes.data[i]);
}

void print_text(const char *name, struct span text)
{
        printf(" %s=%.*s", name, (int)text.size, text.size ? (const char *)text.data : "");
}

void print_reason(enum reason reason)
{
        printf(reason == REASON_NONE ? "ok" : "refused %s", reason_name(reason));
}

void print_result(int result)
{
        printf(result == RELAY_OK ? "ok" : "error %d %s", result, relay_result_string(result));
}

void print_written(int result, const struct writer *w)
{
        print_result(result);
        if (result == RELAY_OK)
                print_hex("bytes", writer_span(w));
}

/* cbor ITEM */
static void do_cbor(struct request *q)
{
        struct reader r;

        reader_init(&r, bytes_of(q, 1));
        cbor_skip(&r);
        print_result(reader_finish(&r));
}

/* key COSE_KEY */
static void do_key(struct request *q)
{
        uint8_t spki[KEY_SPKI_MAX], id[KEY_ID_SIZE];
        struct public_key key;
        struct reader r;

        reader_init(&r, bytes_of(q, 1));
        key_get_cose(&r, &key);
        print_result(reader_finish(&r));
        if (r.result == RELAY_OK && key_id(&key, id) == RELAY_OK) {
                print_hex("spki", span_of(spki, key_to_spki(&key, spki)));
                print_hex("id", SPAN_OF(id));
        }
}

/* cose SIGN1 AAD COSE_KEY PAYLOAD */
static void do_cose(struct request *q)
{
        struct public_key key;
        struct cose_sign1 sign1;
        struct reader r;
        int result = cose_sign1_decode(bytes_of(q, 1), &sign1);

        reader_init(&r, bytes_of(q, 3));
        key_get_cose(&r, &key);
        if (result == RELAY_OK)
                result = reader_finish(&r);
        if (result == RELAY_OK)
                result = cose_sign1_verify(&sign1, &key, bytes_of(q, 2), bytes_of(q, 4), scratch, sizeof(scratch));
        print_result(result);
}

/* sign SEED AAD PAYLOAD attached|detached */
static void do_sign(struct request *q)
{
        struct signer signer = signer_of(q, 1);
        struct writer w;

        writer_init(&w, out_bytes, sizeof(out_bytes));
        int result = cose_sign1_write(&w, &signer, bytes_of(q, 2), bytes_of(q, 3), q->words[4][0] == 'd', scratch,
                                      sizeof(scratch));
        print_written(result, &w);
}

/* sign-set AAD PAYLOAD SEED... */
static void do_sign_set(struct request *q)
{
        static uint8_t signatures[COSE_SET_SIGNATURES_MAX][COSE_SIGN1_OVERHEAD];
        struct cose_set set = { .payload = bytes_of(q, 2) };
        struct writer w;
        int result = RELAY_OK;

        for (size_t i = 3; i < q->count && result == RELAY_OK && set.count < COSE_SET_SIGNATURES_MAX; i++) {
                struct signer signer = signer_of(q, i);
                writer_init(&w, signatures[set.count], COSE_SIGN1_OVERHEAD);
                result = cose_sign1_write(&w, &signer, bytes_of(q, 1), set.payload, true, scratch, sizeof(scratch));
                set.signatures[set.count++] = writer_span(&w);
        }
        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = cose_set_write(&w, &set);
        print_written(result, &w);
}

/* vendor SET */
static void do_vendor(struct request *q)
{
        struct vendor_keys keys;
        struct writer w;
        enum reason reason = vendor_keys_accept_first(bytes_of(q, 1), &keys, scratch, sizeof(scratch));

        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        vendor_keys_encode(&w, &keys);
        print_hex("digest", SPAN_OF(keys.digest));
        print_hex("again", writer_span(&w));
}

/* policy SET */
static void do_policy(struct request *q)
{
        struct site_policy policy;
        struct writer w;
        enum reason reason = site_policy_accept_first(bytes_of(q, 1), &policy, scratch, sizeof(scratch));

        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        site_policy_encode(&w, &policy);
        printf(" site=%s k=%zu", policy.site, policy.threshold);
        print_hex("digest", SPAN_OF(policy.digest));
        print_hex("again", writer_span(&w));
}

/* manifest ENVELOPE VENDOR_SET */
static void do_manifest(struct request *q)
{
        struct manifest_unverified manifest;
        struct manifest_verified verified;
        struct vendor_keys keys;
        enum reason reason = vendor_keys_accept_first(bytes_of(q, 2), &keys, scratch, sizeof(scratch));

        if (reason == REASON_NONE)
                reason = manifest_decode(bytes_of(q, 1), &manifest);
        if (reason == REASON_NONE)
                reason = manifest_verify(&manifest, &keys, &verified);
        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        const struct manifest_fields *f = &verified.fields;
        printf(" sequence=%llu size=%lu", (unsigned long long)f->sequence, (unsigned long)f->image_size);
        print_hex("digest", SPAN_OF(verified.digest));
        print_hex("vendor", SPAN_OF(f->vendor_id));
        print_hex("class", SPAN_OF(f->class_id));
        print_hex("image", SPAN_OF(f->image_digest));
        print_hex("list", SPAN_OF(f->block_list_digest));
        print_text("version", f->version);
        print_text("urgency", f->urgency);
        print_hex("description", f->description);
}

/* make-manifest SEQUENCE VENDOR CLASS IMAGE SIZE LIST VERSION URGENCY DESCRIPTION(hexadecimal) */
static void do_make_manifest(struct request *q)
{
        struct manifest_fields f = {
                .sequence = strtoull(q->words[1], NULL, 10),
                .image_size = (uint32_t)strtoul(q->words[5], NULL, 10),
                .version = span_of_string(q->words[7]),
                .urgency = span_of_string(q->words[8]),
                .description = bytes_of(q, 9),
        };
        struct writer w;

        memcpy(f.vendor_id, bytes_of(q, 2).data, sizeof(f.vendor_id));
        memcpy(f.class_id, bytes_of(q, 3).data, sizeof(f.class_id));
        memcpy(f.image_digest, bytes_of(q, 4).data, sizeof(f.image_digest));
        memcpy(f.block_list_digest, bytes_of(q, 6).data, sizeof(f.block_list_digest));
        writer_init(&w, out_bytes, sizeof(out_bytes));
        print_written(manifest_encode(&w, &f), &w);
}

/* add-signature ENVELOPE SEED */
static void do_add_signature(struct request *q)
{
        struct signer signer = signer_of(q, 2);
        struct writer w;

        writer_init(&w, out_bytes, sizeof(out_bytes));
        print_written(manifest_add_signature(&w, bytes_of(q, 1), &signer), &w);
}

/* ids DOMAIN CLASS_NAME */
static void do_ids(struct request *q)
{
        uint8_t vendor[VENDOR_ID_SIZE], class_id[CLASS_ID_SIZE];
        int result = manifest_vendor_id(q->words[1], vendor);

        if (result == RELAY_OK)
                result = manifest_class_id(vendor, q->words[2], class_id);
        print_result(result);
        if (result == RELAY_OK) {
                print_hex("vendor", SPAN_OF(vendor));
                print_hex("class", SPAN_OF(class_id));
        }
}

/* approval SIGN1 POLICY_SET */
static void do_approval(struct request *q)
{
        struct site_policy policy;
        struct approval approval;
        struct writer w;
        size_t approver;
        enum reason reason = site_policy_accept_first(bytes_of(q, 2), &policy, scratch, sizeof(scratch));

        if (reason == REASON_NONE)
                reason = approval_check(bytes_of(q, 1), &policy, &approval, &approver);
        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        approval_encode(&w, &approval);
        printf(" approver=%zu", approver);
        print_hex("again", writer_span(&w));
}

/* approve PAYLOAD SEED */
static void do_approve(struct request *q)
{
        struct signer signer = signer_of(q, 2);
        struct approval approval;
        struct writer w;
        int result = approval_decode(bytes_of(q, 1), &approval);

        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = approval_sign(&w, &approval, &signer);
        print_written(result, &w);
}

/* decide POLICY_SET MANIFEST_DIGEST DEVICE CLASS FLOOR NOW APPROVAL... */
static void do_decide(struct request *q)
{
        struct site_policy policy;
        struct span approvals[ARGUMENTS_MAX];
        struct approval_facts facts = { 0 };
        size_t count = 0;
        enum reason reason = site_policy_accept_first(bytes_of(q, 1), &policy, scratch, sizeof(scratch));

        if (reason != REASON_NONE) {
                print_reason(reason);
                return;
        }
        facts.device = strcmp(q->words[3], "-") == 0 ? NULL : q->words[3];
        if (bytes_of(q, 4).size == CLASS_ID_SIZE)
                memcpy(facts.class_id, bytes_of(q, 4).data, CLASS_ID_SIZE);
        facts.epoch_floor = strtoull(q->words[5], NULL, 10);
        facts.time_trusted = strcmp(q->words[6], "-") != 0;
        facts.now = facts.time_trusted ? strtoull(q->words[6], NULL, 10) : 0;
        for (size_t i = 7; i < q->count; i++)
                approvals[count++] = bytes_of(q, i);
        print_reason(approval_decide(approvals, count, bytes_of(q, 2).data, &policy, &facts).reason);
}

/* factory LIST */
static void do_factory(struct request *q)
{
        struct factory_list list;
        struct factory_device device;
        uint8_t digest[SHA256_SIZE];
        struct writer w;
        int result = factory_list_decode(bytes_of(q, 1), &list);

        print_result(result);
        if (result != RELAY_OK)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        factory_put_list(&w, list.vendor_id, list.count, list.image_count);
        while (factory_list_next(&list, &device))
                factory_put_device(&w, &device);
        if (list.image_count > 0)
                factory_put_images(&w, list.image_count);
        while (factory_list_next_image(&list, digest))
                factory_put_image(&w, digest);
        print_hex("again", writer_span(&w));
}

static const struct verb verbs[] = {
        { "cbor", do_cbor, 1 },
        { "key", do_key, 1 },
        { "cose", do_cose, 4 },
        { "sign", do_sign, 4 },
        { "sign-set", do_sign_set, 3 },
        { "vendor", do_vendor, 1 },
        { "policy", do_policy, 1 },
        { "manifest", do_manifest, 2 },
        { "make-manifest", do_make_manifest, 9 },
        { "add-signature", do_add_signature, 2 },
        { "ids", do_ids, 2 },
        { "approval", do_approval, 2 },
        { "approve", do_approve, 2 },
        { "decide", do_decide, 6 },
        { "factory", do_factory, 1 },
};

static bool run(const struct verb *table, size_t count, struct request *q)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(table[i].name, q->words[0]) == 0 && q->count > table[i].least) {
                        table[i].run(q);
                        return true;
                }
        return false;
}

int main(void)
{
        static char line[LINE_MAX_SIZE];
        static struct request q;

        while (fgets(line, sizeof(line), stdin)) {
                q.count = 0;
                for (char *word = strtok(line, " \n"); word && q.count < ARGUMENTS_MAX; word = strtok(NULL, " \n"))
                        q.words[q.count++] = word;
                if (!q.count || (!run(verbs, sizeof(verbs) / sizeof(verbs[0]), &q) &&
                                 !run(gate_verbs, gate_verb_count, &q) && !run(dice_verbs, dice_verb_count, &q)))
                        printf("unknown request");
                printf("\n");
                fflush(stdout);
        }
        return 0;
}
