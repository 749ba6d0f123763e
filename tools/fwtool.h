/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* fwtool's commands, one file a noun; main.c has the table. */

#include "cli/cli.h"
#include "relay/manifest.h"

#define CA_DAYS_MAX 36500u

extern const struct cli_option fwtool_vendor_keys_create_options[], fwtool_vendor_keys_sign_options[];
int fwtool_vendor_keys_create(struct cli *cli);
int fwtool_vendor_keys_sign(struct cli *cli);
int fwtool_vendor_keys_show(struct cli *cli);
/* Loads a signed vendor key set and checks its form, not its signatures. CLI_* with message. */
int fwtool_vendor_keys_load(struct cli *cli, const char *path, struct vendor_keys *out);

extern const struct cli_option fwtool_manifest_build_options[], fwtool_manifest_sign_options[],
        fwtool_manifest_show_options[];
int fwtool_manifest_build(struct cli *cli);
int fwtool_manifest_sign(struct cli *cli);
int fwtool_manifest_show(struct cli *cli);
/* envelope: MANIFEST_MAX bytes that *out points into */
int fwtool_manifest_load(struct cli *cli, const char *path, uint8_t **envelope, struct manifest_unverified *out);

extern const struct cli_option fwtool_publish_options[], fwtool_unpublish_options[];
int fwtool_publish(struct cli *cli);
int fwtool_unpublish(struct cli *cli);

extern const struct cli_option fwtool_bundle_options[];
int fwtool_bundle(struct cli *cli);

extern const struct cli_option fwtool_ca_create_options[], fwtool_ca_issue_options[];
int fwtool_ca_create(struct cli *cli);
int fwtool_ca_issue(struct cli *cli);

extern const struct cli_option fwtool_device_create_options[];
int fwtool_device_create(struct cli *cli);

extern const struct cli_option fwtool_factory_add_options[], fwtool_factory_add_image_options[];
int fwtool_factory_add(struct cli *cli);
int fwtool_factory_add_image(struct cli *cli);
int fwtool_factory_images(struct cli *cli);
int fwtool_factory_list_command(struct cli *cli);
int fwtool_factory_show(struct cli *cli);
