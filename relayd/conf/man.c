/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints relayd.conf(5); docs/man/relayd.conf.5.rst is its output, and a test compares the two. */

#include "conf/conf.h"

int main(void)
{
        fputs(".. Made from relayd/conf/table.c by conf-man; change the table, then run: build/relayd/conf/conf-man >\n"
              "   docs/man/relayd.conf.5.rst\n\n"
              "===========\nrelayd.conf\n===========\n\n"
              "----------------------------------\nconfiguration of a site's "
              "relay\n----------------------------------\n\n"
              ":Manual section: 5\n:Manual group: relayd\n\n"
              "SYNOPSIS\n========\n\n*/etc/relayd/relayd.conf*, */etc/relayd/relayd.conf.d/\\*.conf*\n\n"
              "DESCRIPTION\n===========\n\n"
              "Lines ``key = value`` below ``[section]`` lines. A line that begins with ``#`` or ``;`` is a comment, "
              "and "
              "so is\nthe rest of a line after a blank and ``;``. Lines have at most 197 bytes and begin in the first "
              "column.\nFiles in the drop-in folder are read after the main one, in the order of their names; a later "
              "value\nreplaces an earlier one. Within one file a key may stand once. Unknown sections and keys are "
              "errors.\n**relayd --check-config** reads everything and says what is wrong, with file and line.\n\n"
              "SECTIONS AND KEYS\n=================\n\n",
              stdout);
        conf_help(stdout);
        fputs("\nROLES OF SITE APPLICATIONS\n==========================\n\n"
              "A site application (a dashboard, Node-RED, a script) has a certificate with a name that contains a dot, "
              "and\na file *NAME.conf* in the roles folder::\n\n"
              "    [role]\n"
              "    fingerprint = SHA-256 of the public key (SubjectPublicKeyInfo), 64 hexadecimal digits\n"
              "    read = sites/s1/devices/+/events/#\n"
              "    write = sites/s1/devices/+/commands\n\n"
              "``read`` and ``write`` are topic filters and may be repeated, up to 32 times each. No role lets an "
              "application\nspeak as a device (except by ``commands``), publish what only signed objects or the relay "
              "say, or touch\nanother site or images. SIGHUP makes **relayd** read the roles again.\n\n"
              "SEE ALSO\n========\n\n**relayd**\\(8), **relayctl**\\(1)\n",
              stdout);
        return 0;
}
