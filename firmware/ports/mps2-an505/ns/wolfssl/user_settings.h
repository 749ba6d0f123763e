/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * wolfSSL for the application: TLS 1.3 client with X25519, Ed25519 and P-256 to verify; no files, sockets, threads,
 * clock. Nothing here signs: the device's key is the secure side's.
 */
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_MAIN_DRIVER
#define NO_WRITEV
#define NO_ERROR_STRINGS
#define NO_WOLFSSL_DIR
#define NO_STDIO_FILESYSTEM
#define WOLFSSL_GENERAL_ALIGNMENT 4
#define SIZEOF_LONG_LONG          8
#define WOLFSSL_USER_IO
#define WOLFSSL_SMALL_STACK
#define XMALLOC_USER /* heap.c */

#define WOLFSSL_TLS13
#define WOLFSSL_NO_TLS12
#define NO_OLD_TLS
#define NO_WOLFSSL_SERVER
#define NO_SESSION_CACHE
#define NO_PSK
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_SNI
#define HAVE_MAX_FRAGMENT
#define TLS_RECORD_MAX WOLFSSL_MFL_2_12 /* 4 KB; used by ports/common */
#define HAVE_HKDF
#define HAVE_PK_CALLBACKS
#define WOLFSSL_ALWAYS_VERIFY_CB /* the pin decides, whatever wolfSSL thinks of the chain */

#define HAVE_CURVE25519
#define HAVE_ED25519
#define WOLFSSL_SHA512
#define USE_SLOW_SHA512
#define HAVE_ECC
#define ECC_USER_CURVES /* P-256 and no other */
#define ECC_TIMING_RESISTANT
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_SMALL
#define WOLFSSL_SP_MATH
#define NO_ECC_KEY_EXPORT
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_AESGCM
#define GCM_SMALL
#define WOLFSSL_AES_SMALL_TABLES
#define NO_AES_CBC
#define NO_AES_192
#define NO_AES_256

#define NO_ASN_TIME             /* no clock that could be trusted so early */
#define IGNORE_NAME_CONSTRAINTS /* of a server the pinned key is believed, and no CA */
#define WOLFSSL_NO_PEM
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_MD4
#define NO_MD5
#define NO_PKCS8
#define NO_PKCS12
#define NO_PWDBASED
#define NO_RC4
#define NO_RSA
#define NO_SHA
#define NO_CRYPT_TEST
#define NO_CRYPT_BENCHMARK

#define HAVE_HASHDRBG
#define CUSTOM_RAND_GENERATE_SEED entropy_seed
int entropy_seed(unsigned char *out, unsigned int size); /* entropy.c */
