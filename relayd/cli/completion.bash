# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for @PROGRAM@: the program itself knows its commands and options; elsewhere files are offered.
_@PROGRAM@()
{
        local word=${COMP_WORDS[COMP_CWORD]}
        mapfile -t COMPREPLY < <(@PROGRAM@ __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
        [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _@PROGRAM@ @PROGRAM@
