"""Prints the golden numbers of tests/core/random_test.cpp: Philox4x32-10 from its paper in plain integers, normals by mpmath with 60 digits."""

import mpmath

mpmath.mp.dps = 60
WORD = 0xFFFFFFFF


def philox4x32_10(c, k):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & WORD, p0 >> 32 ^ c[3] ^ k[1], p0 & WORD]
        k = [k[0] + 0x9E3779B9 & WORD, k[1] + 0xBB67AE85 & WORD]
    return c


def draw(seed, n):
    b = philox4x32_10([n & WORD, n >> 32, 0, 0], [seed & WORD, seed >> 32])
    return b[0] | b[1] << 32, b[2] | b[3] << 32


def normal(words):
    u = mpmath.mpf((words[0] >> 11) + 1) / 2**53
    v = mpmath.mpf(words[1] >> 8) / 2**56
    return mpmath.sqrt(-2 * mpmath.log(u)) * mpmath.cospi(2 * v)


if __name__ == "__main__":
    for seed, n in [(0, 0), (7, 0), (7, 1), (7, 2), (2**64 - 1, 2**64 - 1), (0x0123456789ABCDEF, 2**32), (42, 1000000)]:
        words = draw(seed, n)
        print("{%du, %du, 0x%016xu, %s, %s}," % (seed, n, words[0], ((words[0] >> 11) / 2**53).hex(), float(normal(words)).hex()))
