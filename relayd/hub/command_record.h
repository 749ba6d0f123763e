/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Records of STORE_COMMANDS:
 *     'c' | device | NUL | 32 bytes SHA-256 of the key  ->  u8 format (1) | u64 last counter | SHA-256 of that command
 *     'w' | device | NUL | u64 number                   ->  u8 format (1) | SHA-256 of the key | command (COSE_Sign1)
 */

#include "relay/command.h"

#define COMMAND_RECORD_KEY_MAX (1 + IDENTITY_MAX + 1 + SHA256_SIZE)
#define COMMAND_RECORD_MAX     (1 + SHA256_SIZE + COMMAND_MAX)

enum command_record_kind { COMMAND_RECORD_COUNTER = 'c', COMMAND_RECORD_WAITING = 'w' };

struct command_record {
        enum command_record_kind kind;
        char device[IDENTITY_MAX + 1];
        uint8_t key[SHA256_SIZE]; /* fingerprint of the key that signed */
        /* COUNTER */
        uint64_t counter;
        uint8_t digest[SHA256_SIZE];
        /* WAITING */
        uint64_t number;
        struct span sign1;
        struct command command; /* decoded from sign1 */
};

/* RELAY_OK, or why not. Spans point into value. */
int command_record_decode(struct span key, struct span value, struct command_record *out);
/* The key or value into a writer of COMMAND_RECORD_KEY_MAX or COMMAND_RECORD_MAX bytes. command is ignored. */
void command_record_put_key(struct writer *w, const struct command_record *record);
void command_record_put_value(struct writer *w, const struct command_record *record);
