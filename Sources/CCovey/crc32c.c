#include "crc32c.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define POLYNOMIAL 0x82F63B78u

// Slicing by eight: table[k][b] is the CRC of byte b followed by k zero bytes. Filled once; two threads that fill it at the
// same time write the same values, and the flag is released after the last of them.
static uint32_t table[8][256];
static atomic_int table_is_ready;

static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL : 0);
        }
        __atomic_store_n(&table[0][byte], crc, __ATOMIC_RELAXED);
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = table[0][byte];
        for (int slice = 1; slice < 8; slice++) {
            crc = (crc >> 8) ^ table[0][crc & 0xFF];
            __atomic_store_n(&table[slice][byte], crc, __ATOMIC_RELAXED);
        }
    }
    atomic_store_explicit(&table_is_ready, 1, memory_order_release);
}

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    if (!atomic_load_explicit(&table_is_ready, memory_order_acquire)) {
        fill_table();
    }
    crc = ~crc;
    while (count >= 8) {
        uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^ table[4][low >> 24]
            ^ table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^ table[0][bytes[7]];
        bytes += 8;
        count -= 8;
    }
    while (count-- > 0) {
        crc = (crc >> 8) ^ table[0][(crc ^ *bytes++) & 0xFF];
    }
    return ~crc;
}

#if defined(__x86_64__)

static int detect(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? 1 : 0;
}

__attribute__((target("sse4.2"))) static uint32_t by_hardware(uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t state = ~crc;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        state = __builtin_ia32_crc32di(state, word);
        bytes += 8;
        count -= 8;
    }
    uint32_t rest = (uint32_t)state;
    while (count-- > 0) {
        rest = __builtin_ia32_crc32qi(rest, *bytes++);
    }
    return ~rest;
}

#elif defined(__aarch64__) && defined(__linux__)

// HWCAP_CRC32; stated here because not every libc's headers name it.
#define HARDWARE_CRC32 (1ul << 7)

static int detect(void) { return (getauxval(AT_HWCAP) & HARDWARE_CRC32) ? 1 : 0; }

__attribute__((target("crc"))) static uint32_t by_hardware(uint32_t crc, const uint8_t *bytes, size_t count) {
    uint32_t state = ~crc;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        state = __builtin_arm_crc32cd(state, word);
        bytes += 8;
        count -= 8;
    }
    while (count-- > 0) {
        state = __builtin_arm_crc32cb(state, *bytes++);
    }
    return ~state;
}

#else

static int detect(void) { return 0; }

static uint32_t by_hardware(uint32_t crc, const uint8_t *bytes, size_t count) { return by_table(crc, bytes, count); }

#endif

int covey_crc32c_has_hardware(void) {
    // 0: not looked yet, 1: absent, 2: present.
    static atomic_int known;
    int state = atomic_load_explicit(&known, memory_order_relaxed);
    if (state == 0) {
        state = 1 + detect();
        atomic_store_explicit(&known, state, memory_order_relaxed);
    }
    return state == 2;
}

uint32_t covey_crc32c_by(enum covey_crc32c_path path, uint32_t crc, const void *bytes, size_t count) {
    if (path == COVEY_CRC32C_HARDWARE && covey_crc32c_has_hardware()) {
        return by_hardware(crc, bytes, count);
    }
    return by_table(crc, bytes, count);
}

uint32_t covey_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return covey_crc32c_by(COVEY_CRC32C_HARDWARE, crc, bytes, count);
}
