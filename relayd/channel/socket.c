/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel/socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/cleanup.h"

#define BACKLOG 64

static int make_address(const char *path, struct sockaddr_un *address)
{
        memset(address, 0, sizeof(*address));
        address->sun_family = AF_UNIX;
        if (strlen(path) >= sizeof(address->sun_path))
                return -ENAMETOOLONG;
        strcpy(address->sun_path, path);
        return 0;
}

static int remove_old_socket(const char *path)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        return unlink(path) < 0 ? -errno : 0;
}

int channel_socket_listen(const char *path, gid_t group)
{
        struct sockaddr_un address;

        int r = make_address(path, &address);
        if (r == 0)
                r = remove_old_socket(path);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* the mode before bind() is the one the path gets, so it is never open to others */
        if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        if ((group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0) || chmod(path, 0660) < 0 ||
            listen(fd, BACKLOG) < 0) {
                r = -errno;
                unlink(path);
                return r;
        }
        return steal_fd(&fd);
}

int channel_socket_connect(const char *path, bool blocking)
{
        struct sockaddr_un address;

        int r = make_address(path, &address);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return steal_fd(&fd);
}

int channel_socket_check_peer(int fd, uid_t uid, pid_t *pid)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (peer.uid != geteuid() && (uid == (uid_t)-1 || peer.uid != uid))
                return -EACCES;
        if (pid)
                *pid = peer.pid;
        return 0;
}
