/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * wolfCrypt for the secure side: Ed25519 both ways, SHA-256, SHA-512. No heap, no random numbers, no P-256: whose
 * vendor or approvers sign with ES256 adds it here.
 */
#define WOLFCRYPT_ONLY
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_MAIN_DRIVER
#define NO_WRITEV
#define NO_ERROR_STRINGS
#define NO_WOLFSSL_MEMORY
#define WOLFSSL_NO_MALLOC
#define WC_NO_RNG
#define WOLFSSL_GENERAL_ALIGNMENT 4
#define SIZEOF_LONG_LONG          8

#define HAVE_ED25519
#define WOLFSSL_SHA512
#define USE_SLOW_SHA256
#define USE_SLOW_SHA512
#ifdef SECURE_SMALL
#        define ED25519_SMALL
#endif

#define NO_AES
#define NO_ASN
#define NO_ASN_TIME
#define NO_CERTS
#define NO_CODING
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
