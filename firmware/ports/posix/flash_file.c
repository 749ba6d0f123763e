/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flash in a mapped file. */

#include "ports/posix/flash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "boot/layout.h"
#include "ports/posix/posix.h"

#define FLASH_SIZE ((size_t)LAYOUT_SECTORS * LAYOUT_SECTOR_SIZE)
#define LOCK_TRIES 100 /* five seconds */

int flash_file_create(const char *path)
{
        uint8_t sector[LAYOUT_SECTOR_SIZE];

        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        memset(sector, 0xff, sizeof(sector));
        int r = 0;
        for (uint32_t i = 0; i < LAYOUT_SECTORS && r == 0; i++)
                r = write(fd, sector, sizeof(sector)) == (ssize_t)sizeof(sector) ? 0 : -EIO;
        close(fd);
        if (r < 0)
                unlink(path);
        return r;
}

static void cut_power(void *context)
{
        (void)context;
        _exit(POSIX_EXIT_CUT);
}

int flash_file_adopt(struct flash_file *file, int fd, int counter_fd, uint64_t cut_after)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size != (off_t)FLASH_SIZE)
                return -EINVAL;
        void *memory = mmap(NULL, FLASH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return -errno;
        flash_ram_init(&file->ram, memory, LAYOUT_SECTOR_SIZE, LAYOUT_SECTORS);
        if (counter_fd >= 0) {
                void *counter = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, counter_fd, 0);
                if (counter == MAP_FAILED)
                        return -errno;
                file->ram.operations = counter;
        }
        file->ram.cut_after = cut_after;
        file->ram.cut = cut_power;
        file->port = flash_ram_port(&file->ram);
        file->fd = fd;
        file->counter_fd = counter_fd;
        return 0;
}

/* A device that was killed keeps its flash until its application is gone, too. */
static int lock(int fd)
{
        const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

        for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (tries == LOCK_TRIES)
                        return -EBUSY;
                (void)nanosleep(&pause, NULL);
        }
        return 0;
}

int flash_file_open(struct flash_file *file, const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = lock(fd);
        if (r == 0)
                r = flash_file_adopt(file, fd, -1, 0);
        if (r < 0)
                close(fd);
        return r;
}
