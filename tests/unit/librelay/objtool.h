/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A request of objtool, its arguments as bytes and keys, and the words of an answer. */

#include "relay/cose.h"
#include "relay/reason.h"

#define ARGUMENTS_MAX  40
#define ARGUMENT_BYTES 16384

struct request {
        char *words[ARGUMENTS_MAX];
        size_t count;
        uint8_t bytes[ARGUMENTS_MAX][ARGUMENT_BYTES];
};

struct verb {
        const char *name;
        void (*run)(struct request *q);
        size_t least; /* arguments */
};
extern const struct verb gate_verbs[]; /* objtool_gate.c */
extern const size_t gate_verb_count;
extern const struct verb dice_verbs[]; /* objtool_dice.c */
extern const size_t dice_verb_count;

extern uint8_t out_bytes[ARGUMENT_BYTES], scratch[ARGUMENT_BYTES];

/* argument i as bytes, as a private key; a test that sends no such thing ends the program */
struct span bytes_of(struct request *q, size_t i);
struct signer signer_of(struct request *q, size_t i);

void print_hex(const char *name, struct span bytes);
void print_text(const char *name, struct span text);
void print_reason(enum reason reason);
void print_result(int result);
void print_written(int result, const struct writer *w);
