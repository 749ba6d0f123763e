/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * wolfCrypt as a device needs it to check: Ed25519 and P-256 verification, SHA-256; no heap, no files, no threads.
 * MCU_SMALL: the smallest code. Else fast code, P-256 with the library's assembler for Cortex-M.
 */
#define WOLFCRYPT_ONLY
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_MAIN_DRIVER
#define NO_WRITEV
#define NO_ERROR_STRINGS
#define NO_WOLFSSL_MEMORY
#define WOLFSSL_NO_MALLOC
#define WOLFSSL_GENERAL_ALIGNMENT 4
#define SIZEOF_LONG_LONG          8

#define HAVE_ED25519
#define WOLFSSL_SHA512
#define HAVE_ECC
#define ECC_USER_CURVES /* P-256 and no other */
#define ECC_TIMING_RESISTANT
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_MATH
#define WOLFSSL_SP_NO_MALLOC

#define NO_AES
#define NO_ASN_TIME
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_HMAC
#define NO_MD4
#define NO_MD5
#define NO_PKCS12
#define NO_PWDBASED
#define NO_RC4
#define NO_RSA
#define NO_SHA
#define CUSTOM_RAND_GENERATE_SEED(output, size) (-1) /* nothing here draws random numbers */

#ifdef MCU_SMALL
#        define ED25519_SMALL
#        define WOLFSSL_SP_SMALL
#        define USE_SLOW_SHA256
#        define USE_SLOW_SHA512
#else
#        define WOLFSSL_SP_ASM
#        define WOLFSSL_SP_ARM_CORTEX_M_ASM
#endif
