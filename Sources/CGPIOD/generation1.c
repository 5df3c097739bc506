// libgpiod 1.5 and 1.6: kernel interface of the first generation. It has no debounce, 16 waiting events, no sequence
// numbers.
#include "generation.h"

#if COVEY_GPIOD_GENERATION == 1

// The depth of the kernel's buffer of one line, fixed in its first interface; libgpiod reads no more than that at once.
enum { KERNEL_EVENTS = 16 };

// libgpiod 1.x ties a line to its chip, so each requested line has a chip of its own.
struct covey_gpio_line {
    struct gpiod_chip *chip;
    struct gpiod_line *line;
    int fd;
};

int covey_gpio_generation(void) { return 1; }

const char *covey_gpio_library_version(void) { return gpiod_version_string(); }

int covey_gpio_chip_get_info(covey_gpio_chip *chip, struct covey_gpio_chip_info *info) {
    covey_gpio_copy_name(info->name, gpiod_chip_name(chip->chip));
    covey_gpio_copy_name(info->label, gpiod_chip_label(chip->chip));
    info->line_count = gpiod_chip_num_lines(chip->chip);
    return 0;
}

int covey_gpio_chip_find_line(covey_gpio_chip *chip, const char *name) {
    // gpiod_chip_find_line() would leave errno as it was where there is no such line.
    unsigned int count = gpiod_chip_num_lines(chip->chip);
    for (unsigned int number = 0; number < count; number++) {
        struct gpiod_line *line = gpiod_chip_get_line(chip->chip, number);
        if (line == NULL) return -1;
        const char *candidate = gpiod_line_name(line);
        if (candidate != NULL && strcmp(candidate, name) == 0) return (int)number;
    }
    errno = ENOENT;
    return -1;
}

int covey_gpio_chip_get_line_info(covey_gpio_chip *chip, uint32_t number, struct covey_gpio_line_info *info) {
    struct gpiod_line *line = gpiod_chip_get_line(chip->chip, number);
    // The chip keeps what it knows of a line; others may have taken or left it since.
    if (line == NULL || gpiod_line_update(line) < 0) return -1;
    covey_gpio_copy_name(info->name, gpiod_line_name(line));
    covey_gpio_copy_name(info->consumer, gpiod_line_consumer(line));
    info->is_used = gpiod_line_is_used(line);
    return 0;
}

static int request_type(enum covey_gpio_edge edge) {
    switch (edge) {
    case COVEY_GPIO_EDGE_RISING: return GPIOD_LINE_REQUEST_EVENT_RISING_EDGE;
    case COVEY_GPIO_EDGE_FALLING: return GPIOD_LINE_REQUEST_EVENT_FALLING_EDGE;
    case COVEY_GPIO_EDGE_BOTH: return GPIOD_LINE_REQUEST_EVENT_BOTH_EDGES;
    case COVEY_GPIO_EDGE_NONE: break;
    }
    return GPIOD_LINE_REQUEST_DIRECTION_INPUT;
}

static int request_flags(const struct covey_gpio_settings *settings) {
    int flags = settings->is_active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    switch (settings->bias) {
    case COVEY_GPIO_BIAS_DISABLED: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE;
    case COVEY_GPIO_BIAS_PULL_UP: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP;
    case COVEY_GPIO_BIAS_PULL_DOWN: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
    case COVEY_GPIO_BIAS_AS_IS: break;
    }
    return flags;
}

// Fills a line whose fields are empty; on failure what it holds is released by the caller.
static int request(
    covey_gpio_line *target, covey_gpio_chip *chip, uint32_t number, const struct covey_gpio_settings *settings
) {
    // A device path is at most "/dev/" and the name.
    char path[sizeof "/dev/" + COVEY_GPIO_NAME_SIZE] = "/dev/";
    covey_gpio_copy_name(path + strlen(path), gpiod_chip_name(chip->chip));
    target->chip = gpiod_chip_open(path);
    if (target->chip == NULL) return -1;

    struct gpiod_line *line = gpiod_chip_get_line(target->chip, number);
    if (line == NULL) return -1;
    char consumer[COVEY_GPIO_NAME_SIZE];
    covey_gpio_copy_name(consumer, settings->consumer);
    struct gpiod_line_request_config config = {
        .consumer = consumer,
        .request_type = request_type(settings->edge),
        .flags = request_flags(settings),
    };
    if (gpiod_line_request(line, &config, 0) < 0) return -1;
    target->line = line;

    if (settings->edge == COVEY_GPIO_EDGE_NONE) return 0;
    target->fd = gpiod_line_event_get_fd(line);
    return target->fd < 0 ? -1 : covey_gpio_set_nonblocking(target->fd);
}

covey_gpio_line *covey_gpio_line_request(
    covey_gpio_chip *chip, uint32_t number, const struct covey_gpio_settings *settings
) {
    covey_gpio_line *result = calloc(1, sizeof *result);
    if (result == NULL) return NULL;
    result->fd = -1;
    if (request(result, chip, number, settings) < 0) {
        int error = errno;
        covey_gpio_line_release(result);
        errno = error;
        return NULL;
    }
    return result;
}

void covey_gpio_line_release(covey_gpio_line *line) {
    if (line == NULL) return;
    if (line->line != NULL) gpiod_line_release(line->line);
    if (line->chip != NULL) gpiod_chip_close(line->chip);
    free(line);
}

int covey_gpio_line_get_fd(const covey_gpio_line *line) { return line->fd; }

bool covey_gpio_line_is_debounced(const covey_gpio_line *line) {
    (void)line;
    return false;
}

uint32_t covey_gpio_line_get_buffer_size(const covey_gpio_line *line) { return line->fd < 0 ? 0 : KERNEL_EVENTS; }

int covey_gpio_line_get_value(covey_gpio_line *line) { return gpiod_line_get_value(line->line); }

int covey_gpio_line_read_events(covey_gpio_line *line, struct covey_gpio_event *events, size_t capacity) {
    if (line->fd < 0 || capacity == 0) return 0;
    struct gpiod_line_event waiting[KERNEL_EVENTS];
    unsigned int limit = capacity < KERNEL_EVENTS ? (unsigned int)capacity : KERNEL_EVENTS;
    int count = gpiod_line_event_read_fd_multiple(line->fd, waiting, limit);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    for (int index = 0; index < count; index++) {
        const struct timespec *time = &waiting[index].ts;
        events[index] = (struct covey_gpio_event){
            .timestamp_ns = (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec,
            .is_rising = waiting[index].event_type == GPIOD_LINE_EVENT_RISING_EDGE,
        };
    }
    return count;
}

#endif
