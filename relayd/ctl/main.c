/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl: the relay from the command line, on the gateway or from an approver's own machine. */

#include "cli/keys.h"
#include "ctl/ctl.h"

static const struct cli_option global_options[] = {
        { "bus", 0, "ADDRESS", "talk to the relay on this D-Bus (default: the system bus)" },
        { "host", 'H', "HOST", "talk to the relay of another machine, over ssh" },
        { 0 },
};

static const struct cli_command commands[] = {
        { "setup", NULL, "", 0, 0, false, ctl_setup, ctl_setup_options,
          "set this relay up: keys, certificate, configuration, first site policy",
          "Values that are missing are asked for on a terminal; with --yes, or without a terminal, they are errors." },
        { "status", NULL, "", 0, 0, false, ctl_status, NULL, "what the relay says of itself", NULL },
        { "monitor", NULL, "", 0, 0, false, ctl_monitor, NULL, "show every change as it happens", NULL },
        { "devices", "list", "", 0, 0, true, ctl_devices_list, NULL, "list the devices", NULL },
        { "devices", "show", "DEVICE", 1, 1, false, ctl_devices_show, NULL, "show one device", NULL },
        { "devices", "import", "FILE", 1, 1, false, ctl_devices_import, NULL, "register the devices of a factory list",
          NULL },
        { "devices", "admit", "DEVICE", 1, 1, false, ctl_devices_admit, NULL,
          "admit a pending device; compare its fingerprint first ('devices show')", NULL },
        { "devices", "revoke", "DEVICE", 1, 1, false, ctl_devices_revoke, ctl_devices_revoke_options,
          "revoke a device's registration", NULL },
        { "devices", "release", "DEVICE", 1, 1, false, ctl_devices_release, ctl_devices_release_options,
          "take a cloned device out of quarantine, once only one of the two is left",
          "Its boot counter is forgotten: the next session's is the one that counts." },
        { "devices", "rotate", "FILE", 1, 1, false, ctl_devices_rotate, NULL,
          "take over a device's next identity key, signed by the one that is registered",
          "A device that has DICE-1 brings it itself; FILE is for one that cannot come here." },
        { "images", "list", "", 0, 0, true, ctl_images_list, NULL, "list the images that devices may run",
          "A device that proves to run another one goes into quarantine. Known are the images of updates that this "
          "site\n"
          "approved, of factory lists, and those added here." },
        { "images", "add", "MANIFEST", 1, 1, false, ctl_images_add, NULL,
          "make the image of a manifest known; the relay checks both signatures of the vendor", NULL },
        { "images", "remove", "IMAGE", 1, 1, false, ctl_images_remove, ctl_images_remove_options,
          "forget an image: devices that run it go into quarantine", "IMAGE is four or more digits of its digest." },
        { "device", "call", "DEVICE COMMAND [ARGUMENTS]", 2, 3, false, ctl_device_call, ctl_device_call_options,
          "sign a command, send it to one device, and show what came of it",
          "The key is one that the site policy grants commands to ('relayctl approvers propose --grant'). The device\n"
          "verifies it itself, and does not do it twice." },
        { "updates", "list", "", 0, 0, true, ctl_updates_list, NULL, "list the updates", NULL },
        { "updates", "show", "ID", 1, 1, false, ctl_updates_show, NULL,
          "show one update, who approved, and what each device waits for",
          "ID is a version, or four or more digits of a manifest digest." },
        { "updates", "import", "FILE|FOLDER", 1, 1, false, ctl_updates_import, ctl_updates_import_options,
          "take an update from a file; of a folder: list the update files in it",
          "Signatures, image and block list are verified here before anything is sent, and by the relay before "
          "anything\n"
          "is kept. An import that was interrupted goes on where it stopped." },
        { "updates", "approve", "ID", 1, 1, false, ctl_updates_approve, ctl_updates_approve_options,
          "verify an update on this machine and approve it",
          "ID is a version, or four or more digits of a manifest digest. Manifest, site policy and vendor key set are\n"
          "fetched from the relay and verified here; only the signed approval goes back. The key never leaves this\n"
          "machine. What is not given with --policy and --vendor-keys is compared by you once, and remembered." },
        { "updates", "deny", "ID", 1, 1, false, ctl_updates_deny, ctl_updates_deny_options, "deny an update", NULL },
        { "updates", "revoke", "[FILE]", 0, 1, false, ctl_updates_revoke, ctl_updates_revoke_options,
          "take approvals back, signed by as many approvers as approve",
          "Without FILE: makes the revocation in --output. With FILE: adds your signature (--key, --agent), shows it, "
          "or\n"
          "with --send gives it to the relay. What is installed stays installed." },
        { "updates", "export-request", "ID FILE", 2, 2, false, ctl_updates_export_request, NULL,
          "write what an approver without network decides about", NULL },
        { "updates", "import-approval", "FILE", 1, 1, false, ctl_updates_import_approval, NULL,
          "give the relay an approval that was signed elsewhere", NULL },
        { "updates", "watch", "", 0, 0, false, ctl_updates_watch, NULL, "list the updates whenever something changes",
          NULL },
        { "gate", "show", "", 0, 0, true, ctl_gate_show, NULL, "is the gate open?", NULL },
        { "gate", "open", "", 0, 0, false, ctl_gate_open, ctl_gate_open_options, "let approved updates in", NULL },
        { "gate", "close", "", 0, 0, false, ctl_gate_close, ctl_gate_scope_options, "let no update in", NULL },
        { "gate", "window", "add|remove WINDOW", 2, 2, false, ctl_gate_window, ctl_gate_scope_options,
          "let approved updates in at some hours of the week",
          "WINDOW is written 'Sun 02:00-04:00', 'Mon-Fri 22:00-05:00' or 'daily 03:00-04:00', in the site policy's "
          "time zone." },
        { "gate", "reset", "", 0, 0, false, ctl_gate_reset, ctl_gate_scope_options,
          "take a setting back: what is less special decides again",
          "Of the settings for the device, for its class and for the site the first one that is there decides." },
        { "approvers", "list", "", 0, 0, true, ctl_approvers_list, NULL, "who approves here", NULL },
        { "approvers", "show", "[FILE]", 0, 1, false, ctl_approvers_show, ctl_approvers_show_options,
          "show a site policy and who signed it (the relay's, or FILE)", NULL },
        { "approvers", "propose", "", 0, 0, false, ctl_approvers_propose, ctl_approvers_propose_options,
          "make the proposal of a site policy",
          "With --after it is the successor of a policy: what the options do not say stays as it is." },
        { "approvers", "sign", "FILE", 1, 1, false, ctl_approvers_sign, ctl_approvers_sign_options,
          "sign a site policy",
          "Shows first, in words, what it changes, and its digest. A successor needs enough of the approvers in force\n"
          "until now, and enough of its own; who is both signs once." },
        { "approvers", "import", "FILE", 1, 1, false, ctl_approvers_import, ctl_approvers_import_options,
          "give the relay a signed site policy: its first, or the next", NULL },
        { "vendor-keys", "show", "[FILE]", 0, 1, true, ctl_vendor_keys_show, NULL,
          "show a vendor key set (the relay's, or FILE)", NULL },
        { "vendor-keys", "sign", "FILE", 1, 1, false, ctl_vendor_keys_sign, ctl_vendor_keys_sign_options,
          "add an approver's signature to a vendor key set that the vendor signed", NULL },
        { "vendor-keys", "import", "FILE", 1, 1, false, ctl_vendor_keys_import, NULL,
          "give the relay a vendor key set: its first, or the next", NULL },
        { "sign", NULL, "REQUEST", 1, 1, false, ctl_sign, ctl_sign_options,
          "verify and approve an exported request, without a relay", NULL },
        { "publish", NULL, "FILE", 1, 1, false, ctl_publish, ctl_publish_options,
          "publish an approval, site policy, vendor key set or revocation at the cloud",
          "For a relay that is dead: devices on the direct way find it there, and check it themselves." },
        { "country", "show", "", 0, 0, true, ctl_country_show, NULL, "the country policy, and who enforces it", NULL },
        { "country", "allow", "CODE...", 1, 300, false, ctl_country_allow, ctl_country_rule_options,
          "let these countries in, and no other",
          "CODE is an ISO 3166 code (FI, SE) or a group (EU, EEA, EFTA, NORDIC). A change that would refuse your own\n"
          "address asks first; with --confirm it is taken back by itself." },
        { "country", "deny", "CODE...", 1, 300, false, ctl_country_deny, ctl_country_rule_options,
          "refuse these countries, and no other", NULL },
        { "country", "off", "", 0, 0, false, ctl_country_off, ctl_country_off_options,
          "no rule for a direction; a port follows its direction again", NULL },
        { "country", "exempt", "NETWORK...", 1, 64, false, ctl_country_exempt, ctl_country_exempt_options,
          "networks that are never judged by country", NULL },
        { "country", "local", "exempt|judge", 1, 1, false, ctl_country_local, ctl_country_trial_options,
          "are private and link-local networks judged?", NULL },
        { "country", "test", "ADDRESS", 1, 1, false, ctl_country_test, ctl_country_test_options,
          "what the policy says of an address, and which rule decides", NULL },
        { "country", "confirm", "", 0, 0, false, ctl_country_confirm, NULL, "keep the policy that is on trial", NULL },
        { "country", "update", "[FILE]", 0, 1, false, ctl_country_update, ctl_country_update_options,
          "compile the address database again, or from FILE (MMDB)", NULL },
        { "lockdown", "on", "", 0, 0, false, ctl_lockdown_on, ctl_lockdown_on_options,
          "close every port of this host but the relay's and the listed ones", NULL },
        { "lockdown", "off", "", 0, 0, false, ctl_lockdown_off, ctl_country_trial_options, "close nothing", NULL },
        { "lockdown", "close", "PORT...", 1, 16, false, ctl_lockdown_close, ctl_country_trial_options,
          "take ports off the list of what stays open", NULL },
        { "keys", "create", "FILE", 1, 1, false, cli_keys_create, cli_keys_create_options,
          "make an Ed25519 key: FILE (PKCS#8, mode 0600) and FILE.pub", NULL },
        { "keys", "show", "FILE", 1, 1, false, cli_keys_show, NULL,
          "key id and fingerprint of a public key or certificate", NULL },
        { "events", "export", "FILE", 1, 1, false, ctl_events_export, ctl_events_export_options,
          "write the events that wait at a relay without an uplink to a file",
          "JSON, one event a line. A file that is there is continued where it ends; nothing is deleted before the "
          "file\n"
          "is on its disk." },
        { "alerts", NULL, "", 0, 0, false, ctl_alerts, ctl_alerts_options, "what the relay warned of", NULL },
        { "audit", "log", "", 0, 0, true, ctl_audit_log, ctl_audit_log_options, "who did what", NULL },
        { "audit", "verify", "[FILE]", 0, 1, false, ctl_audit_verify, ctl_audit_verify_options,
          "check the chain of the audit log, of the relay or of an export, and who signed its checkpoints",
          "Remembers the end of the log and its last checkpoint, and refuses one that does not contain them. Needs no\n"
          "relay if FILE is given." },
        { "audit", "export", "FILE", 1, 1, false, ctl_audit_export, NULL,
          "write records and signed checkpoints to a file, to be verified elsewhere", NULL },
        { "uplink", "show", "", 0, 0, true, ctl_uplink_show, NULL, "the way to the cloud", NULL },
        { 0 },
};

int main(int argc, char **argv)
{
        static const struct cli_program program = {
                .name = "relayctl",
                .summary = "The relay of this site: devices, updates and who may approve them.",
                .version = RELAYD_VERSION,
                .commands = commands,
                .options = global_options,
        };

        return cli_main(&program, argc, argv);
}
