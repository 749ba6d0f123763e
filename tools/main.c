/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwtool: the vendor's side of updates: keys, certificates, manifests, publishing, factory lists. */

#include "cli/keys.h"
#include "fwtool.h"

static const struct cli_option global_options[] = { { 0 } };

static const struct cli_command commands[] = {
        { "keys", "create", "FILE", 1, 1, false, cli_keys_create, cli_keys_create_options,
          "make an Ed25519 key: FILE (PKCS#8, mode 0600) and FILE.pub", NULL },
        { "keys", "show", "FILE", 1, 1, false, cli_keys_show, NULL,
          "key id and fingerprint of a public key or certificate", NULL },
        { "vendor-keys", "create", "", 0, 0, false, fwtool_vendor_keys_create, fwtool_vendor_keys_create_options,
          "propose a vendor key set",
          "The set counts once an organisation key and a developer key of it have signed it." },
        { "vendor-keys", "sign", "FILE", 1, 1, false, fwtool_vendor_keys_sign, fwtool_vendor_keys_sign_options,
          "sign a vendor key set", NULL },
        { "vendor-keys", "show", "FILE", 1, 1, false, fwtool_vendor_keys_show, NULL, "show a vendor key set", NULL },
        { "manifest", "build", "", 0, 0, false, fwtool_manifest_build, fwtool_manifest_build_options,
          "make the manifest of an image", NULL },
        { "manifest", "sign", "FILE", 1, 1, false, fwtool_manifest_sign, fwtool_manifest_sign_options,
          "sign a manifest",
          "Two people sign one after the other, each with a key of their own: organisation and developer." },
        { "manifest", "show", "FILE", 1, 1, false, fwtool_manifest_show, fwtool_manifest_show_options,
          "show a manifest", NULL },
        { "bundle", NULL, "FILE", 1, 1, false, fwtool_bundle, fwtool_bundle_options,
          "put manifest, image and release notes into one file, for sites without a cloud",
          "FILE ends with .relayd-update. It is as good as what is in it: sites check the manifest's signatures." },
        { "publish", NULL, "", 0, 0, false, fwtool_publish, fwtool_publish_options,
          "publish an image as retained blocks, then offer it to devices", NULL },
        { "unpublish", NULL, "", 0, 0, false, fwtool_unpublish, fwtool_unpublish_options, "take offers and image back",
          NULL },
        { "ca", "create", "", 0, 0, false, fwtool_ca_create, fwtool_ca_create_options, "make a certificate authority",
          NULL },
        { "ca", "issue", "", 0, 0, false, fwtool_ca_issue, fwtool_ca_issue_options, "issue a certificate", NULL },
        { "device", "create", "", 0, 0, false, fwtool_device_create, fwtool_device_create_options,
          "make a device with DICE: secret, device certificate, entry in the factory list",
          "The factory's one step. PREFIX.secret (32 bytes) goes into the device; then the copy has to be destroyed." },
        { "factory", "add", "", 0, 0, false, fwtool_factory_add, fwtool_factory_add_options,
          "add a device to a factory list (made if it is not there)", NULL },
        { "factory", "list", "LIST", 1, 1, false, fwtool_factory_list_command, NULL,
          "show the devices of a factory list", NULL },
        { "factory", "add-image", "IMAGE", 1, 1, false, fwtool_factory_add_image, fwtool_factory_add_image_options,
          "add an image that devices are shipped with",
          "A site that imports the list knows the image: a device that proves it runs it is not quarantined." },
        { "factory", "images", "LIST", 1, 1, false, fwtool_factory_images, NULL,
          "show the digests of the images in a factory list", NULL },
        { "factory", "show", "LIST IDENTITY", 2, 2, false, fwtool_factory_show, NULL,
          "show one device of a factory list", NULL },
        { 0 },
};

int main(int argc, char **argv)
{
        static const struct cli_program program = {
                .name = "fwtool",
                .summary = "Keys, certificates, manifests and updates of a device maker.",
                .version = RELAYD_VERSION,
                .commands = commands,
                .options = global_options,
        };

        return cli_main(&program, argc, argv);
}
