/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Signed commands (relay/command.h): checked, counted, executed, answered.
 *
 * A command runs at most once, whatever is repeated, reordered or cut: its counter is in flash before it runs, and
 * counters never fall. A command that comes again in the same boot (by relay and by cloud) gets its answer again.
 * Without trusted time every command is refused, because each one expires.
 */

#include "port/flash.h"
#include "port/journal.h"
#include "relay/command.h"

#define COMMANDS_KEYS_MAX    12 /* keys whose counters are kept; more than policy and vendor key set can name */
#define COMMANDS_ANSWERS     4
#define COMMANDS_REFUSALS    4
#define COMMANDS_VALUE_MAX   256 /* bytes of a result's text */
#define COMMANDS_RECORD_SIZE (COMMANDS_KEYS_MAX * (KEY_ID_SIZE + 8))

enum command_outcome {
        COMMAND_OUTCOME_DONE,
        COMMAND_OUTCOME_FAILED,  /* it is one of ours, and could not be done */
        COMMAND_OUTCOME_UNKNOWN, /* no such command */
};

struct commands_config {
        const char *device;
        const uint8_t *class_id; /* CLASS_ID_SIZE bytes */
        /* in force; their content may change between calls */
        const struct site_policy *policy;
        const struct vendor_keys *vendor;
        struct flash_area counters; /* two sectors */
        /* Does it at once, or starts it. value: UTF-8 for the result, at most COMMANDS_VALUE_MAX bytes. */
        enum command_outcome (*run)(void *context, const char *name, struct span arguments, struct writer *value);
        void *context;
};

struct command_counter {
        uint8_t key[KEY_ID_SIZE];
        uint64_t counter; /* 0: free */
};

/* what is published at commands/result */
struct command_result {
        bool due;
        uint8_t key[KEY_ID_SIZE];
        uint64_t counter;
        enum command_outcome outcome;
        enum reason reason; /* NONE if done; COMMAND_FAILED if failed; else it was refused */
        size_t value_size;
        uint8_t value[COMMANDS_VALUE_MAX];
};

struct command_refusal {
        bool due;
        uint8_t key[KEY_ID_SIZE];
        uint64_t counter;
        enum reason reason;
};

struct commands {
        struct commands_config config;
        struct journal journal;
        struct command_counter counters[COMMANDS_KEYS_MAX];
        /* of this boot, the newest ones */
        struct command_result answers[COMMANDS_ANSWERS];
        uint8_t digests[COMMANDS_ANSWERS][SHA256_SIZE]; /* of the commands as they came; all zero: none */
        unsigned next_answer;
        struct command_refusal refusals[COMMANDS_REFUSALS];
        unsigned next_refusal;
};

/* 0, or the flash's error. config is copied, what it points to stays the caller's. */
int commands_init(struct commands *c, const struct commands_config *config);
/*
 * A message came at commands. now_s: Unix seconds, if time_trusted. 0 or a flash error (nothing was executed).
 * *refusal: REASON_NONE (executed, or answered again), else why not.
 */
int commands_take(struct commands *c, struct span sign1, bool time_trusted, uint64_t now_s, enum reason *refusal);
/* The next result to be published as JSON into w: false if there is none. Then commands_told(). */
bool commands_next(const struct commands *c, struct writer *w);
void commands_told(struct commands *c);
