#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compiles librelay (without the crypto backend) for a Cortex-M33 and prints what it takes there. Prints TAP.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
compiler=${ARM_CC:-arm-none-eabi-gcc}
flags=(-mcpu=cortex-m33 -mthumb -Os -std=c11 -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow -Wvla
       -ffunction-sections -fdata-sections -fstack-usage -I"$top/librelay/include")
stack_max=8192 # bytes of one function's frame on a device

if ! command -v "$compiler" >/dev/null; then
        echo "1..1"
        echo "not ok 1 - $compiler is missing: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"
        exit 1
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sources=("$top"/librelay/src/*.c)
failed=0 number=0

echo "1..$((${#sources[@]} + 1))"
for source in "${sources[@]}"; do
        name=$(basename "$source" .c)
        number=$((number + 1))
        if "$compiler" "${flags[@]}" -c "$source" -o "$out/$name.o" 2>"$out/$name.log"; then
                echo "ok $number - $name.c compiles for Cortex-M33"
        else
                echo "not ok $number - $name.c does not compile for Cortex-M33"
                sed 's/^/# /' "$out/$name.log"
                failed=1
        fi
done
number=$((number + 1))
deep=$(cat "$out"/*.su | awk -v max=$stack_max '$2 > max { print "# " $1 ": " $2 " bytes" }')
if [ -z "$deep" ]; then
        echo "ok $number - no function has more than $stack_max bytes of stack"
else
        echo "not ok $number - functions with more than $stack_max bytes of stack"
        echo "$deep"
        failed=1
fi
sort -k2nr "$out"/*.su | awk 'NR <= 5 { sub(".*/", "", $1); print "# stack: " $1 " " $2 }'
arm-none-eabi-size "$out"/*.o | sed 's/^/# /' | sed "s,$out/,,"
arm-none-eabi-size -t "$out"/*.o | awk 'END { print "# total text " $1 " data " $2 " bss " $3 }'
exit $failed
