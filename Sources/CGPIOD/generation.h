// Which generation of libgpiod the compiler found. Only the first one has this macro.
#ifndef COVEY_GPIOD_GENERATION_H
#define COVEY_GPIOD_GENERATION_H

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <stdlib.h>
#include <string.h>

#include "CGPIOD.h"

#ifdef GPIOD_LINE_BULK_MAX_LINES
#define COVEY_GPIOD_GENERATION 1
#else
#define COVEY_GPIOD_GENERATION 2
#endif

struct covey_gpio_chip {
    struct gpiod_chip *chip;
};

// Copies a name that may be NULL, cut to the room there is.
static inline void covey_gpio_copy_name(char target[COVEY_GPIO_NAME_SIZE], const char *source) {
    size_t length = source == NULL ? 0 : strnlen(source, COVEY_GPIO_NAME_SIZE - 1);
    if (length > 0) memcpy(target, source, length);
    target[length] = '\0';
}

// Events are read until none is left, so the descriptor must not block.
static inline int covey_gpio_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

#endif
