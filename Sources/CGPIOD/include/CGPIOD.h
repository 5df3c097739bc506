// One small face over both generations of libgpiod: 1.x (Debian 12) and 2.x (Debian 13, Raspberry Pi OS 13). The
// generation is chosen when this is compiled, by the gpiod.h found.
//
// Functions that fail return NULL or -1 and set errno. Nothing here is safe to call from two threads on the same
// object.
#ifndef COVEY_CGPIOD_H
#define COVEY_CGPIOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    // The kernel's own limit for these names, with the closing zero.
    COVEY_GPIO_NAME_SIZE = 32,
    // The most events that one read returns, and the deepest buffer that the kernel grants one line (64 lines of 16).
    COVEY_GPIO_EVENTS_MAX = 1024,
};

enum covey_gpio_edge {
    COVEY_GPIO_EDGE_NONE = 0,
    COVEY_GPIO_EDGE_RISING = 1,
    COVEY_GPIO_EDGE_FALLING = 2,
    COVEY_GPIO_EDGE_BOTH = 3,
};

enum covey_gpio_bias {
    COVEY_GPIO_BIAS_AS_IS = 0,
    COVEY_GPIO_BIAS_DISABLED = 1,
    COVEY_GPIO_BIAS_PULL_UP = 2,
    COVEY_GPIO_BIAS_PULL_DOWN = 3,
};

// What a chip calls itself: name is the kernel's ("gpiochip0"), label the hardware's ("pinctrl-bcm2835").
struct covey_gpio_chip_info {
    char name[COVEY_GPIO_NAME_SIZE];
    char label[COVEY_GPIO_NAME_SIZE];
    uint32_t line_count;
};

struct covey_gpio_line_info {
    // Empty where the line has no name.
    char name[COVEY_GPIO_NAME_SIZE];
    // Who uses the line, as far as the kernel knows; empty where it does not.
    char consumer[COVEY_GPIO_NAME_SIZE];
    bool is_used;
};

struct covey_gpio_settings {
    enum covey_gpio_edge edge;
    enum covey_gpio_bias bias;
    bool is_active_low;
    // Asks the kernel to debounce; 0: it shall not. See covey_gpio_line_is_debounced.
    uint32_t debounce_us;
    // Asks for room for that many events, at most COVEY_GPIO_EVENTS_MAX; generation 1 always has 16.
    uint32_t event_buffer_size;
    // Shown to others who ask who uses the line; cut to COVEY_GPIO_NAME_SIZE - 1 bytes.
    const char *consumer;
};

struct covey_gpio_event {
    // CLOCK_MONOTONIC, nanoseconds, taken by the kernel when the edge came.
    uint64_t timestamp_ns;
    // Counts the line's edges from 1 and wraps; a gap shows what the kernel dropped. 0 where the generation has none.
    uint32_t sequence;
    // To the active level (which is low on an active-low line).
    bool is_rising;
};

// An open chip.
typedef struct covey_gpio_chip covey_gpio_chip;
// A requested input line. It may outlive the chip that it came from.
typedef struct covey_gpio_line covey_gpio_line;

// The generation of libgpiod that this was compiled for: 1 or 2.
int covey_gpio_generation(void);

// The version of libgpiod that is loaded, such as "1.6.3".
const char *covey_gpio_library_version(void);

// Opens a chip by the path of its device. ENOENT: no such file; EACCES: no permission; ENODEV or ENOTTY: it is no GPIO
// chip.
covey_gpio_chip *covey_gpio_chip_open(const char *path);
void covey_gpio_chip_close(covey_gpio_chip *chip);
int covey_gpio_chip_get_info(covey_gpio_chip *chip, struct covey_gpio_chip_info *info);

// The number of the first line of that name. -1 and ENOENT where there is none.
int covey_gpio_chip_find_line(covey_gpio_chip *chip, const char *name);
// EINVAL where the number is out of range.
int covey_gpio_chip_get_line_info(covey_gpio_chip *chip, uint32_t number, struct covey_gpio_line_info *info);

// Requests one line as an input. EBUSY: somebody else has it; EINVAL: out of range; ENODEV: the chip is gone.
covey_gpio_line *covey_gpio_line_request(
    covey_gpio_chip *chip, uint32_t number, const struct covey_gpio_settings *settings
);
void covey_gpio_line_release(covey_gpio_line *line);

// Readable when events wait; belongs to the line. -1 where no edges were requested.
int covey_gpio_line_get_fd(const covey_gpio_line *line);
// Whether the kernel debounces the line as asked; where not, the caller must.
bool covey_gpio_line_is_debounced(const covey_gpio_line *line);
// How many events the kernel keeps for the line; beyond them it drops (generation 1 the newest, generation 2 the
// oldest).
uint32_t covey_gpio_line_get_buffer_size(const covey_gpio_line *line);
// 1 active, 0 inactive, -1 on error; ENODEV: the chip is gone.
int covey_gpio_line_get_value(covey_gpio_line *line);
// Takes the events that wait, oldest first, never blocks. Returns their number, 0 where none waits; ENODEV: the chip
// is gone.
int covey_gpio_line_read_events(covey_gpio_line *line, struct covey_gpio_event *events, size_t capacity);

#endif
