/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The device's flash in a mapped file: boot stage and application map the same one. Power cuts end the process. */

#include "ports/common/flash_ram.h"

struct flash_file {
        struct flash_ram ram;
        struct port_flash port;
        int fd;
        int counter_fd; /* operations of all processes, for power cuts */
};

/* Creates the file, all erased. 0, -EEXIST, -errno. */
int flash_file_create(const char *path);
/* For one process (and those that inherit the file) at a time; waits some seconds for the one before to end.
 * 0, -EBUSY (another process has it), -EINVAL (not the size of a flash), -errno. */
int flash_file_open(struct flash_file *file, const char *path);
/* fd: of the flash file, inherited. counter_fd: from the boot stage, or -1. cut_after: 0 for never. */
int flash_file_adopt(struct flash_file *file, int fd, int counter_fd, uint64_t cut_after);
