/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/files.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

/* files grow while they are read and some report size 0 (/proc): so read to the end, not to st_size */
static int read_fd(int fd, size_t max, uint8_t **data, size_t *size)
{
        _cleanup_free_ uint8_t *buffer = NULL;
        size_t room = 0, filled = 0;

        for (;;) {
                if (room - filled < 2) {
                        room = room ? room * 2 : 4096;
                        uint8_t *larger = realloc(buffer, room);
                        if (!larger)
                                return -ENOMEM;
                        buffer = larger;
                }
                ssize_t n = read(fd, buffer + filled, room - filled - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                filled += (size_t)n;
                if (filled > max)
                        return -EFBIG;
        }
        buffer[filled] = 0;
        *data = steal_pointer(buffer);
        *size = filled;
        return 0;
}

int file_read(const char *path, size_t max, uint8_t **data, size_t *size)
{
        struct stat st;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        return read_fd(fd, max, data, size);
}

static int write_all(int fd, const void *data, size_t size)
{
        const uint8_t *at = data;

        while (size > 0) {
                ssize_t n = write(fd, at, size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                at += n;
                size -= (size_t)n;
        }
        return 0;
}

int file_sync_folder(const char *path)
{
        char copy[PATH_MAX];

        if (strlen(path) >= sizeof(copy))
                return -ENAMETOOLONG;
        strcpy(copy, path);
        _cleanup_close_ int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

static int fill_and_sync(int fd, const void *data, size_t size, mode_t mode)
{
        if (fchmod(fd, mode) < 0) /* whatever the umask says */
                return -errno;
        int r = write_all(fd, data, size);
        if (r < 0)
                return r;
        return fsync(fd) < 0 ? -errno : 0;
}

int file_write(const char *path, const void *data, size_t size, mode_t mode)
{
        char temporary[PATH_MAX];
        int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);

        if (n < 0 || (size_t)n >= sizeof(temporary))
                return -ENAMETOOLONG;
        _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = fill_and_sync(fd, data, size, mode);
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0) {
                unlink(temporary);
                return r;
        }
        return file_sync_folder(path);
}

int file_create(const char *path, const void *data, size_t size, mode_t mode)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd < 0)
                return -errno;
        int r = fill_and_sync(fd, data, size, mode);
        if (r == 0)
                r = file_sync_folder(path);
        if (r < 0)
                unlink(path);
        return r;
}

static int make_folder(const char *path, mode_t mode)
{
        struct stat st;

        if (mkdir(path, mode) == 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_make_folders(const char *path, mode_t mode)
{
        char copy[PATH_MAX];

        if (!*path)
                return -EINVAL;
        if (strlen(path) >= sizeof(copy))
                return -ENAMETOOLONG;
        strcpy(copy, path);
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                int r = make_folder(copy, mode);
                if (r < 0)
                        return r;
                *slash = '/';
        }
        return make_folder(copy, mode);
}
