#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Device certificates made by openssl, in the current folder, and what a thief of an identity key may issue with it.
set -eu

for name in root dev dev2 app; do openssl genpkey -algorithm ed25519 -out $name.key; done
openssl req -x509 -key root.key -subj /O=A/CN=factory.a -days 100 -out root.crt -addext keyUsage=critical,keyCertSign

sign() { # KEY SUBJECT ISSUER-CERTIFICATE ISSUER-KEY NAME EXTENSIONS
        printf "$6\n" >extensions
        openssl req -new -utf8 -key "$1.key" -subj "$2" -out request
        openssl x509 -req -in request -CA "$3.crt" -CAkey "$4.key" -CAcreateserial -days 50 -extfile extensions \
                -out "$5.crt"
}

ca='basicConstraints=critical,CA:TRUE'
usage='keyUsage=critical,keyCertSign'
only() { echo "nameConstraints=critical,permitted;dirName:dn\n[dn]\nO=A\nCN=$1"; }
end='basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth'

sign dev /O=A/CN=device-1 root root dev "$ca,pathlen:0\n$usage\n$(only device-1)"
sign dev2 /O=A/CN=device-2 root root dev2 "$ca,pathlen:0\n$usage\n$(only device-2)"
# what the factory should not have issued
sign dev /O=A/CN=device-1 root root free "$ca,pathlen:0\n$usage"
sign dev /O=A/CN=device-1 root root wide "$ca,pathlen:0\n$usage\nnameConstraints=critical,permitted;dirName:dn\n[dn]\nO=A"
sign dev /O=A/CN=device-1 root root wrong "$ca,pathlen:0\n$usage\n$(only device-2)"
sign dev /O=A/CN=device-1 root root long "$ca\n$usage\n$(only device-1)"
sign dev /O=A/CN=device-1 root root two "$ca,pathlen:0\n$usage
nameConstraints=critical,permitted;dirName:dn,permitted;dirName:dn2\n[dn]\nO=A\nCN=device-1\n[dn2]\nO=A\nCN=device-2"
sign dev /O=A/CN=line.a root root line "$ca\n$usage"

sign app /O=A/CN=device-1 dev dev leaf "$end"
sign app /O=A/CN=device-2 dev dev other "$end"
sign app /O=A/CN=Device-1 dev dev case "$end"
sign app /O=A/CN=device-1/CN=device-2 dev dev second "$end"
sign app /O=A/CN=device-2/CN=device-1 dev dev before "$end"
sign app /O=A/CN=device-1/OU=x dev dev below "$end"
sign app /CN=device-1 dev dev bare "$end"
sign app /O=A/CN=vendor.acme dev dev dotted "$end"
sign dev /O=A/CN=device-1 dev dev same "$end"
sign app /O=A/CN=device-1 dev dev server 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth'
sign app /O=A/CN=device-1 dev dev inner "$ca,pathlen:0\n$usage\n$(only device-1)"
sign dev2 /O=A/CN=device-1 inner app deep "$end"
sign app /O=A/CN=device-2 dev2 dev2 leaf2 "$end"
sign app /O=A/CN=device-1 dev2 dev2 stolen "$end"
# device-2's key under device-1's name
openssl x509 -new -force_pubkey <(openssl pkey -in app.key -pubout) -key dev2.key -subj /O=A/CN=device-1 -days 5 \
        -out forged.crt -extfile <(printf "$end\n")
sign app /O=A/CN=line-1 line dev ordinary "$end"
# an authority for servers
sign dev /O=A/CN=servers.a root root servers "$ca\n$usage\nextendedKeyUsage=serverAuth"
sign app /O=A/CN=line-1 servers dev served "$end"
# an authority that its owner gave a device's name, and an intermediate one of such a name
openssl req -x509 -key root.key -subj /CN=acme -days 100 -out acme.crt -addext keyUsage=critical,keyCertSign
sign app /O=A/CN=device-1 acme root byacme "$end"
sign dev /CN=line-2 acme root line2 "$ca\n$usage"
sign app /O=A/CN=device-1 line2 dev byline2 "$end"
