/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* D-Bus names, shared by the hub and relayctl. The interfaces are described in docs/dbus/. */

#define BUS_NAME         "org.relayd.Relay1"
#define BUS_PATH         "/org/relayd/Relay1"
#define BUS_PATH_DEVICES BUS_PATH "/device" /* + /<identity, escaped as sd_bus_path_encode() does> */
#define BUS_PATH_UPDATES BUS_PATH "/update" /* + /<manifest digest, hex> */
#define BUS_MANAGER      "org.relayd.Relay1.Manager"
#define BUS_DEVICE       "org.relayd.Relay1.Device"
#define BUS_UPDATE       "org.relayd.Relay1.Update"
/* errors: BUS_ERROR_PREFIX + reason in CamelCase; the message is a sentence that says what to do */
#define BUS_ERROR_PREFIX "org.relayd.Relay1.Error."
