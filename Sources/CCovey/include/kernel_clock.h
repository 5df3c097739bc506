#pragma once
#include <stdbool.h>

/// Whether the kernel says that the wall clock is synchronised (`adjtimex`).
bool covey_kernel_clock_is_synchronised(void);
