/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where setup puts things. */

#include "ctl/layout.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/io.h"
#include "util/cleanup.h"
#include "util/files.h"

#define COPY_MAX (1u << 20)

static const struct {
        const char *path;
        bool folder, hub; /* hub: belongs to the hub's user */
        unsigned mode;    /* of a folder */
} places[LAYOUT_PLACES] = {
        [LAYOUT_CONF] = { "/etc/relayd/relayd.conf", false, false, 0 },
        [LAYOUT_POLICY] = { "/etc/relayd/site-policy.cbor", false, false, 0 },
        [LAYOUT_RELAY_KEY] = { "/etc/relayd/keys/relay.key", false, true, 0 },
        [LAYOUT_RELAY_CERTIFICATE] = { "/etc/relayd/relay.crt", false, false, 0 },
        [LAYOUT_GATE_KEY] = { "/etc/relayd/keys/gate.key", false, true, 0 },
        [LAYOUT_UPLINK_KEY] = { "/etc/relayd/keys/uplink.key", false, true, 0 },
        [LAYOUT_UPLINK_CERTIFICATE] = { "/etc/relayd/uplink.crt", false, false, 0 },
        [LAYOUT_UPLINK_CA] = { "/etc/relayd/uplink-ca.crt", false, false, 0 },
        [LAYOUT_DEVICE_CA] = { "/etc/relayd/device-ca.crt", false, false, 0 },
        [LAYOUT_ROLES] = { "/etc/relayd/roles.d", true, false, 0755 },
        [LAYOUT_STATE] = { "/var/lib/relayd", true, true, 0700 },
        [LAYOUT_RUNTIME] = { "/run/relayd", true, true, 0755 },
        [LAYOUT_KEYS] = { "/etc/relayd/keys", true, true, 0700 },
        [LAYOUT_SOCKET_FOLDER] = { "/etc/systemd/system/relay-mqttd.socket.d", true, false, 0755 },
        [LAYOUT_SOCKET] = { "/etc/systemd/system/relay-mqttd.socket.d/listen.conf", false, false, 0 },
        [LAYOUT_GUARD_FOLDER] = { "/etc/systemd/system/relay-guardd.service.d", true, false, 0755 },
        [LAYOUT_GUARD] = { "/etc/systemd/system/relay-guardd.service.d/listen.conf", false, false, 0 },
};

int layout_make(struct cli *cli, struct layout *out)
{
        const char *root = cli_value(cli, "root");
        _cleanup_free_ char *prefix = NULL;

        out->system = !root;
        if (root) {
                if (mkdir(root, 0755) < 0 && errno != EEXIST)
                        return cli_errno(cli, errno, root);
                prefix = realpath(root, NULL);
                if (!prefix)
                        return cli_errno(cli, errno, root);
                if (strpbrk(prefix, ";#\n"))
                        return cli_fail(cli, CLI_USAGE, "--root '%s': ';', '#' and line ends cannot stand in a path",
                                        root);
        }
        for (size_t i = 0; i < LAYOUT_PLACES; i++)
                if (asprintf(&out->paths[i], "%s%s", prefix ? prefix : "", places[i].path) < 0) {
                        out->paths[i] = NULL;
                        return cli_errno(cli, -ENOMEM, places[i].path);
                }
        return CLI_OK;
}

void layout_done(struct layout *layout)
{
        for (size_t i = 0; i < LAYOUT_PLACES; i++)
                free(layout->paths[i]);
}

int layout_make_folders(struct cli *cli, const struct layout *layout)
{
        for (size_t i = 0; i < LAYOUT_PLACES; i++) {
                _cleanup_free_ char *parent = NULL;
                int r = 0;

                if (!places[i].folder)
                        continue;
                parent = strdup(layout->paths[i]);
                if (!parent)
                        return cli_errno(cli, -ENOMEM, layout->paths[i]);
                *strrchr(parent, '/') = '\0';
                r = file_make_folders(parent, 0755);
                if (r == 0)
                        r = file_make_folders(layout->paths[i], places[i].mode);
                if (r < 0)
                        return cli_errno(cli, r, layout->paths[i]);
        }
        return CLI_OK;
}

int layout_copy(struct cli *cli, const struct layout *layout, enum layout_place place, const char *from, unsigned mode)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size;
        int r = cli_read(cli, from, COPY_MAX, &bytes, &size);

        if (r == CLI_OK)
                r = cli_create(cli, layout->paths[place], span_of(bytes, size), mode);
        if (bytes && mode == 0600)
                explicit_bzero(bytes, size);
        return r;
}

int layout_give(struct cli *cli, const struct layout *layout)
{
        const struct passwd *user;

        if (!layout->system || geteuid() != 0)
                return CLI_OK;
        user = getpwnam(LAYOUT_HUB_USER);
        if (!user)
                return cli_fail(cli, CLI_FAILED, "there is no user " LAYOUT_HUB_USER "; 'systemd-sysusers' makes it");
        for (size_t i = 0; i < LAYOUT_PLACES; i++)
                if (places[i].hub && lchown(layout->paths[i], user->pw_uid, user->pw_gid) < 0 && errno != ENOENT)
                        return cli_errno(cli, errno, layout->paths[i]);
        return CLI_OK;
}
