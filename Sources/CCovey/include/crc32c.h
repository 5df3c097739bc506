#ifndef COVEY_CRC32C_H
#define COVEY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/// Which way of computing to use; the results are the same.
enum covey_crc32c_path {
    COVEY_CRC32C_TABLE = 0,
    /// SSE4.2 on x86-64, the CRC extension on ARMv8.
    COVEY_CRC32C_HARDWARE = 1,
};

/// CRC-32C (Castagnoli) of `count` bytes, continuing from `crc`; start with 0. Uses the hardware where this CPU has it.
uint32_t covey_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same by one stated path. The hardware path falls back to the table where the CPU lacks it.
uint32_t covey_crc32c_by(enum covey_crc32c_path path, uint32_t crc, const void *bytes, size_t count);

/// 1 where this CPU computes CRC-32C in hardware, 0 where the table serves. Detected once, at run time.
int covey_crc32c_has_hardware(void);

#endif
