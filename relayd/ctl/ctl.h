/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* relayctl's commands, one file a noun; main.c has the table. */

#include "cli/cli.h"

int ctl_status(struct cli *cli);
int ctl_uplink_show(struct cli *cli);
int ctl_monitor(struct cli *cli);

extern const struct cli_option ctl_devices_revoke_options[];
int ctl_devices_list(struct cli *cli);
int ctl_devices_show(struct cli *cli);
int ctl_devices_import(struct cli *cli);
int ctl_devices_admit(struct cli *cli);
int ctl_devices_revoke(struct cli *cli);
extern const struct cli_option ctl_devices_release_options[];
int ctl_devices_release(struct cli *cli);
int ctl_devices_rotate(struct cli *cli);

extern const struct cli_option ctl_images_remove_options[];
int ctl_images_list(struct cli *cli);
int ctl_images_add(struct cli *cli);
int ctl_images_remove(struct cli *cli);

extern const struct cli_option ctl_updates_deny_options[], ctl_updates_approve_options[], ctl_sign_options[];
extern const struct cli_option ctl_updates_import_options[];
int ctl_updates_import(struct cli *cli);
int ctl_updates_list(struct cli *cli);
int ctl_updates_show(struct cli *cli);
int ctl_updates_deny(struct cli *cli);
int ctl_updates_watch(struct cli *cli);
int ctl_updates_approve(struct cli *cli);
int ctl_updates_export_request(struct cli *cli);
int ctl_updates_import_approval(struct cli *cli);
int ctl_sign(struct cli *cli);

extern const struct cli_option ctl_updates_revoke_options[];
int ctl_updates_revoke(struct cli *cli);

extern const struct cli_option ctl_device_call_options[];
int ctl_device_call(struct cli *cli);

extern const struct cli_option ctl_gate_open_options[], ctl_gate_scope_options[];
int ctl_gate_window(struct cli *cli);
int ctl_gate_reset(struct cli *cli);
int ctl_gate_show(struct cli *cli);
int ctl_gate_open(struct cli *cli);
int ctl_gate_close(struct cli *cli);

extern const struct cli_option ctl_approvers_propose_options[], ctl_approvers_show_options[],
        ctl_approvers_sign_options[], ctl_approvers_import_options[];
int ctl_approvers_list(struct cli *cli);
int ctl_approvers_propose(struct cli *cli);
int ctl_approvers_sign(struct cli *cli);
int ctl_approvers_show(struct cli *cli);
int ctl_approvers_import(struct cli *cli);

extern const struct cli_option ctl_vendor_keys_sign_options[];
int ctl_vendor_keys_show(struct cli *cli);
int ctl_vendor_keys_sign(struct cli *cli);
int ctl_vendor_keys_import(struct cli *cli);

extern const struct cli_option ctl_events_export_options[];
int ctl_events_export(struct cli *cli);

extern const struct cli_option ctl_alerts_options[];
int ctl_alerts(struct cli *cli);

extern const struct cli_option ctl_audit_log_options[], ctl_audit_verify_options[];
int ctl_audit_log(struct cli *cli);
int ctl_audit_verify(struct cli *cli);
int ctl_audit_export(struct cli *cli);

extern const struct cli_option ctl_publish_options[];
int ctl_publish(struct cli *cli);

extern const struct cli_option ctl_country_rule_options[], ctl_country_off_options[], ctl_country_test_options[],
        ctl_country_exempt_options[], ctl_country_trial_options[], ctl_country_update_options[],
        ctl_lockdown_on_options[];
int ctl_country_show(struct cli *cli);
int ctl_country_allow(struct cli *cli);
int ctl_country_deny(struct cli *cli);
int ctl_country_off(struct cli *cli);
int ctl_country_exempt(struct cli *cli);
int ctl_country_local(struct cli *cli);
int ctl_country_test(struct cli *cli);
int ctl_country_confirm(struct cli *cli);
int ctl_country_update(struct cli *cli);
int ctl_lockdown_on(struct cli *cli);
int ctl_lockdown_off(struct cli *cli);
int ctl_lockdown_close(struct cli *cli);

extern const struct cli_option ctl_setup_options[];
int ctl_setup(struct cli *cli);
