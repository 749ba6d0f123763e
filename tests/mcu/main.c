/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a device's checks and prints for each, separated by tabs: name, bytes of its objects, signatures verified,
 * instructions, instructions that verifying took, and stack.
 */
#include <string.h>

#include "bench/devicechecks.h"
#include "board.h"
#include "relay/crypto.h"

/* clang-format off */
#include "objects.h" /* made by tests/bench/checks --objects */
/* clang-format on */

#define PAINT 0x5a5aa5a5u

struct cost {
        uint32_t instructions, verifying, signatures, stack;
        bool accepted;
};

uint64_t device_checks_clock(void)
{
        return board_instructions();
}

static void print_number(uint32_t number)
{
        char text[11];
        size_t at = sizeof(text) - 1;

        text[at] = '\0';
        do {
                text[--at] = (char)('0' + number % 10);
                number /= 10;
        } while (number);
        board_print("\t");
        board_print(text + at);
}

/* paints the stack below the caller, runs, and looks how far down the paint is gone */
static __attribute__((noinline)) struct cost cost_of(bool (*run)(void))
{
        struct cost cost = { 0 };
        uint32_t *here, *word, start;

        __asm__ volatile("mov %0, sp" : "=r"(here));
        for (word = stack_bottom; word < here; word++)
                *(volatile uint32_t *)word = PAINT;
        device_checks_verified = device_checks_verifying = 0;
        start = board_instructions();
        cost.accepted = run();
        cost.instructions = board_instructions() - start;
        for (word = stack_bottom; *(volatile uint32_t *)word == PAINT;)
                word++;
        cost.stack = (uint32_t)(here - word) * sizeof(*word);
        cost.verifying = (uint32_t)device_checks_verifying;
        cost.signatures = (uint32_t)device_checks_verified;
        return cost;
}

static bool row(const char *name, size_t bytes, bool (*run)(void))
{
        struct cost cost = cost_of(run);

        board_print(name);
        print_number((uint32_t)bytes);
        print_number(cost.signatures);
        print_number(cost.instructions);
        print_number(cost.verifying);
        print_number(cost.stack);
        board_print(cost.accepted ? "\n" : "\trefused\n");
        return cost.accepted;
}

/* if this is not what is counted, QEMU runs without -icount, or with another rate */
static bool counter_is_right(void)
{
        uint32_t loops = 1000000, start = board_instructions(), counted;

        __asm__ volatile("1: subs %0, #1\n bne 1b" : "+l"(loops) : : "cc");
        counted = board_instructions() - start;
        if (counted >= 2000000 && counted < 2000100)
                return true;
        board_print("2,000,000 instructions counted as");
        print_number(counted);
        board_print("\n");
        return false;
}

/* RFC 8032 section 7.1, test 1 */
static bool verify_ed25519(void)
{
        static const struct public_key key = {
                KEY_ED25519,
                { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                  0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a },
        };
        static const uint8_t signature[SIGNATURE_SIZE] = {
                0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
                0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
                0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
                0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b
        };

        return crypto_verify(&key, SPAN_EMPTY, signature) == RELAY_OK;
}

/* RFC 6979 A.2.5, SHA-256, "sample": librelay accepts P-256 wherever it accepts Ed25519 */
static bool verify_p256(void)
{
        static const struct public_key key = {
                KEY_P256,
                { 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
                  0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6,
                  0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64,
                  0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99 },
        };
        static const uint8_t signature[SIGNATURE_SIZE] = {
                0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4, 0x5e, 0x81, 0xd6,
                0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16,
                0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65,
                0xf3, 0xe9, 0x00, 0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8,
        };

        return crypto_verify(&key, SPAN_LITERAL("sample"), signature) == RELAY_OK;
}

static uint8_t sector[4096];

static bool hash_sector(void)
{
        uint8_t digest[SHA256_SIZE];

        return crypto_sha256((struct span){ sector, sizeof(sector) }, digest) == RELAY_OK;
}

int main(void)
{
        bool fine;

        memcpy(check_objects, objects, sizeof(check_objects));
        fine = counter_is_right() && device_checks_begin();
        for (size_t i = 0; fine && i < DEVICE_CHECKS; i++)
                fine = row(device_checks[i].name, device_check_bytes(&device_checks[i]), device_checks[i].run);
        fine = fine && row("one signature, Ed25519", 0, verify_ed25519);
        fine = fine && row("one signature, P-256", 6, verify_p256);
        fine = fine && row("SHA-256 of a sector", sizeof(sector), hash_sector);
        return fine ? 0 : 1;
}
