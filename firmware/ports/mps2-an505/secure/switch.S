/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few steps that no compiler may do: the first one, those of a fault, and the one into the application. */
        .syntax unified
        .thumb

        .section .text.reset, "ax"
        .global reset
        .thumb_func
reset:  ldr     r0, =stack_bottom
        msr     msplim, r0
        ldr     r0, =stack_top
        mov     sp, r0
        b       run

/* The stack may be what is wrong: begin a new one. */
        .section .text.exception, "ax"
        .global exception
        .thumb_func
exception:
        mov     r0, lr
        ldr     r1, =stack_top
        mov     sp, r1
        b       report

/* _Noreturn void leave(uint32_t entry): wipes stack and registers, then the application's entry. */
        .section .text.leave, "ax"
        .global leave
        .thumb_func
leave:  ldr     r1, =stack_bottom
        ldr     r2, =stack_top
        mov     sp, r2
        movs    r3, #0
1:      cmp     r1, r2
        bhs     2f
        str     r3, [r1], #4
        b       1b
2:      bic     r0, r0, #1 /* bit 0 clear: to the non-secure state */
        movs    r1, #0
        movs    r2, #0
        movs    r4, #0
        movs    r5, #0
        movs    r6, #0
        movs    r7, #0
        mov     r8, r3
        mov     r9, r3
        mov     r10, r3
        mov     r11, r3
        mov     r12, r3
        mvn     lr, r3 /* it has nowhere to return to */
        msr     apsr_nzcvq, r3
        bxns    r0
