#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A factory made by openssl, in the current folder: good and bad CAs and leaves for test_x509.
set -eu

new_key() { # NAME [EC]
        if [ $# = 1 ]; then openssl genpkey -algorithm ed25519 -out "$1.key"
        else openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; fi
}

root() { # NAME SUBJECT
        openssl req -x509 -key "$1.key" -subj "$2" -days 100 -out "$1.crt" -addext keyUsage=critical,keyCertSign
}

sign() { # KEY SUBJECT ISSUER NAME EXTENSIONS [DAYS]
        printf "$5\n" >extensions
        openssl req -new -key "$1.key" -subj "$2" -out request
        openssl x509 -req -in request -CA "$3.crt" -CAkey "$3.key" -CAcreateserial -days "${6:-50}" \
                -extfile extensions -out "$4.crt"
        [ "$1" = "$4" ] || cp "$1.key" "$4.key"
}

for name in root mid dev leaf other free; do new_key $name; done
new_key ec EC
new_key ecleaf EC
root root /O=A/CN=root.a
root other /O=A/CN=root.a
root ec /CN=root.ec

ca='basicConstraints=critical,CA:TRUE'
end='basicConstraints=CA:FALSE'
sign mid /CN=mid.a root mid "$ca,pathlen:0"
sign dev /O=A/CN=device-1 mid deep "$ca"
sign dev /O=A/CN=device-1 root dev "$ca,pathlen:0\nnameConstraints=critical,permitted;dirName:dn\n[dn]\nO=A\nCN=device-1"
sign free /CN=nosign root nosign "$ca\nkeyUsage=critical,digitalSignature"
sign free /CN=dnsonly root dns "$ca\nnameConstraints=critical,permitted;DNS:example.org"

sign leaf /CN=leaf-1 mid leaf "$end"
sign leaf /CN=leaf-1 deep toodeep "$end"
sign leaf /O=A/CN=device-1 dev own "$end"
sign leaf /O=A/CN=device-2 dev foreign "$end"
sign leaf /CN=leaf-1 leaf byleaf "$end"
sign leaf /CN=leaf-1 root critical "1.2.3.4=critical,ASN1:NULL"
sign leaf /CN=leaf-1 nosign bynosign "$end"
sign leaf /CN=leaf-1 root direct "$end"
sign leaf /CN=leaf-1 other stranger "$end"
sign leaf /CN=leaf-1 dns bydns "$end"
sign leaf /O=A/CN=device-1 dev devca "$ca"
sign leaf /CN=leaf-1 root server "$end\nextendedKeyUsage=serverAuth"
sign leaf /CN=leaf-1 root client "$end\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature"
sign leaf /CN=leaf-1 root any "$end\nextendedKeyUsage=anyExtendedKeyUsage"
sign leaf /CN=leaf-1 root nodigital "$end\nkeyUsage=critical,keyAgreement"
sign ecleaf /CN=leaf-ec ec ecleaf "$end"
touch index
openssl req -new -key leaf.key -subj /CN=leaf-1 -out request
printf '[ca]\ndefault_ca=a\n[a]\ndatabase=index\npolicy=p\ndefault_md=default\nrand_serial=yes\n[p]\ncommonName=supplied\n' >ca.conf
openssl ca -batch -config ca.conf -in request -cert root.crt -keyfile root.key -startdate 20200101000000Z \
        -enddate 20200201000000Z -notext -outdir . -out expired.crt
