#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compiles what runs on a microcontroller (librelay without the crypto backend, the firmware's portable parts) for a
# Cortex-M33 and prints what it takes there. Prints TAP.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
compiler=${ARM_CC:-arm-none-eabi-gcc}
flags=(-mcpu=cortex-m33 -mthumb -Os -std=c11 -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow -Wvla
       -ffunction-sections -fdata-sections -fstack-usage -fcallgraph-info=su -I"$top/librelay/include" -I"$top/firmware")
folders=(librelay/src firmware/port firmware/boot firmware/app firmware/examples)
stack_max=8192 # bytes of one function's frame on a device
checks=(manifest_decode manifest_verify approval_decide ticket_check command_check revocation_accept
        vendor_keys_accept_next site_policy_accept_next dice_write_certificate dice_write_leaf attest_sign attest_check
        rotation_check)

if ! command -v "$compiler" >/dev/null; then
        echo "1..1"
        echo "not ok 1 - $compiler is missing: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"
        exit 1
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0 number=0

for folder in "${folders[@]}"; do
        mkdir -p "$out/$folder"
        for source in "$top/$folder"/*.c; do
                name=$folder/$(basename "$source" .c)
                number=$((number + 1))
                if "$compiler" "${flags[@]}" -c "$source" -o "$out/$name.o" 2>"$out/log"; then
                        echo "ok $number - $name.c compiles for Cortex-M33"
                else
                        echo "not ok $number - $name.c does not compile for Cortex-M33"
                        sed "s,^,# ,; s,$top/,," "$out/log"
                        failed=1
                fi
        done
done
number=$((number + 1))
deep=$(find "$out" -name '*.su' -exec cat {} + | sed 's,^.*/,,' |
       awk -v max=$stack_max '$2 > max { print "# " $1 ": " $2 " bytes" }')
if [ -z "$deep" ]; then
        echo "ok $number - no function has more than $stack_max bytes of stack"
else
        echo "not ok $number - functions with more than $stack_max bytes of stack"
        echo "$deep"
        failed=1
fi
number=$((number + 1))
if "$top/tests/arm_stack.py" "$out" "${checks[@]}" >"$out/log"; then
        echo "ok $number - no recursion; stack of each check, the crypto library's aside:"
else
        echo "not ok $number - recursion, or no sum"
        failed=1
fi
sed 's/^/# /' "$out/log"
echo "1..$number"
find "$out" -name '*.su' -exec cat {} + | sed 's,^.*/,,' | sort -k2nr -t"$(printf '\t')" |
        awk 'NR <= 5 { print "# stack: " $1 " " $2 }'
for folder in "${folders[@]}"; do
        (cd "$out/$folder" && arm-none-eabi-size -t ./*.o) |
                awk -v folder="$folder" 'END { print "# " folder ": text " $1 " data " $2 " bss " $3 }'
done
exit $failed
