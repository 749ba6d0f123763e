/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzzer as an ordinary test: every file of its corpus, every prefix of the small ones, and a fixed number of
 * mutations from a fixed seed. With -Dfuzz=true the fuzzer is linked to libFuzzer instead and this file is left out.
 *
 * usage: fuzzer CORPUS-FOLDER [MUTATIONS-PER-FILE]
 */
#define _DEFAULT_SOURCE /* scandir */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t random_state = 0x9e3779b97f4a7c15u;
static unsigned long executions;

static uint32_t next_random(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (uint32_t)(random_state >> 32);
}

/* an exact-size heap copy, so that the sanitizer sees a read one byte past the end */
static void run(const uint8_t *data, size_t size)
{
        uint8_t *copy = malloc(size ? size : 1);
        if (!copy)
                abort();
        if (size)
                memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
        executions++;
}

static void mutate(const uint8_t *data, size_t size)
{
        uint8_t *copy = malloc(size + 8);
        if (!copy)
                abort();
        if (size)
                memcpy(copy, data, size);
        for (uint32_t changes = 1 + next_random() % 4; changes && size; changes--) {
                size_t at = next_random() % size;
                switch (next_random() % 4) {
                case 0:
                        copy[at] ^= (uint8_t)(1u << (next_random() % 8));
                        break;
                case 1:
                        copy[at] = (uint8_t)next_random();
                        break;
                case 2:
                        copy[at] = next_random() % 2 ? 0xff : 0x00;
                        break;
                default:
                        size = at;
                        break;
                }
        }
        run(copy, size);
        free(copy);
}

static void run_file(const char *path, unsigned long mutations)
{
        static uint8_t data[1 << 20];
        FILE *file = fopen(path, "rb");
        if (!file) {
                perror(path);
                exit(1);
        }
        size_t size = fread(data, 1, sizeof(data), file);
        fclose(file);

        run(data, size);
        for (size_t prefix = 0; prefix < size && size <= 4096; prefix++)
                run(data, prefix);
        for (unsigned long i = 0; i < mutations; i++)
                mutate(data, size);
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                fprintf(stderr, "usage: %s CORPUS-FOLDER [MUTATIONS-PER-FILE]\n", argv[0]);
                return 2;
        }
        unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
        struct dirent **entries;
        int count = scandir(argv[1], &entries, NULL, alphasort);
        int files = 0;

        run(NULL, 0);
        for (int i = 0; i < count; i++) {
                char path[4096];
                snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
                if (entries[i]->d_name[0] != '.') {
                        run_file(path, mutations);
                        files++;
                }
                free(entries[i]);
        }
        if (count >= 0)
                free(entries);
        printf("1..1\n%s 1 - %d corpus files, %lu executions\n", files ? "ok" : "not ok", files, executions);
        return files ? 0 : 1;
}
