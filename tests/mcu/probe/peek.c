/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hole in the secure side, for a test of what even the secure side cannot do: request 'P' and an address reads a word
 * there. Linked into a secure side of its own (secure-peek), in front of the boot channel.
 */

#include "ports/common/boot_server.h"

#include <string.h>

size_t __real_boot_server_answer(struct boot_server *server, size_t size);
size_t __wrap_boot_server_answer(struct boot_server *server, size_t size);

size_t __wrap_boot_server_answer(struct boot_server *server, size_t size)
{
        uint32_t address, word;

        if (size != 5 || server->message[0] != 'P')
                return __real_boot_server_answer(server, size);
        memcpy(&address, server->message + 1, sizeof(address));
        word = *(const volatile uint32_t *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
        server->message[0] = 0;
        memcpy(server->message + 1, &word, sizeof(word));
        return 5;
}
