#include "kernel_clock.h"

#include <sys/timex.h>

bool covey_kernel_clock_is_synchronised(void) {
    struct timex query = {.modes = 0};
    int state = adjtimex(&query);
    return state >= 0 && state != TIME_ERROR && (query.status & STA_UNSYNC) == 0;
}
