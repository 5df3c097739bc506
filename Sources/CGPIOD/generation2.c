// libgpiod 2.x: kernel interface of the second generation, with debounce, deep buffers and sequence numbers.
#include "generation.h"

#if COVEY_GPIOD_GENERATION == 2

struct covey_gpio_line {
    struct gpiod_line_request *request;
    struct gpiod_edge_event_buffer *buffer;
    unsigned int number;
    uint32_t buffer_size;
    bool has_edges;
    bool is_debounced;
};

int covey_gpio_generation(void) { return 2; }

const char *covey_gpio_library_version(void) { return gpiod_api_version(); }

int covey_gpio_chip_get_info(covey_gpio_chip *chip, struct covey_gpio_chip_info *info) {
    struct gpiod_chip_info *found = gpiod_chip_get_info(chip->chip);
    if (found == NULL) return -1;
    covey_gpio_copy_name(info->name, gpiod_chip_info_get_name(found));
    covey_gpio_copy_name(info->label, gpiod_chip_info_get_label(found));
    info->line_count = (uint32_t)gpiod_chip_info_get_num_lines(found);
    gpiod_chip_info_free(found);
    return 0;
}

int covey_gpio_chip_find_line(covey_gpio_chip *chip, const char *name) {
    return gpiod_chip_get_line_offset_from_name(chip->chip, name);
}

int covey_gpio_chip_get_line_info(covey_gpio_chip *chip, uint32_t number, struct covey_gpio_line_info *info) {
    struct gpiod_line_info *found = gpiod_chip_get_line_info(chip->chip, number);
    if (found == NULL) return -1;
    covey_gpio_copy_name(info->name, gpiod_line_info_get_name(found));
    covey_gpio_copy_name(info->consumer, gpiod_line_info_get_consumer(found));
    info->is_used = gpiod_line_info_is_used(found);
    gpiod_line_info_free(found);
    return 0;
}

static enum gpiod_line_edge edge_of(enum covey_gpio_edge edge) {
    switch (edge) {
    case COVEY_GPIO_EDGE_RISING: return GPIOD_LINE_EDGE_RISING;
    case COVEY_GPIO_EDGE_FALLING: return GPIOD_LINE_EDGE_FALLING;
    case COVEY_GPIO_EDGE_BOTH: return GPIOD_LINE_EDGE_BOTH;
    case COVEY_GPIO_EDGE_NONE: break;
    }
    return GPIOD_LINE_EDGE_NONE;
}

static enum gpiod_line_bias bias_of(enum covey_gpio_bias bias) {
    switch (bias) {
    case COVEY_GPIO_BIAS_DISABLED: return GPIOD_LINE_BIAS_DISABLED;
    case COVEY_GPIO_BIAS_PULL_UP: return GPIOD_LINE_BIAS_PULL_UP;
    case COVEY_GPIO_BIAS_PULL_DOWN: return GPIOD_LINE_BIAS_PULL_DOWN;
    case COVEY_GPIO_BIAS_AS_IS: break;
    }
    return GPIOD_LINE_BIAS_AS_IS;
}

static int configure(struct gpiod_line_settings *target, const struct covey_gpio_settings *settings) {
    if (gpiod_line_settings_set_direction(target, GPIOD_LINE_DIRECTION_INPUT) < 0) return -1;
    if (gpiod_line_settings_set_edge_detection(target, edge_of(settings->edge)) < 0) return -1;
    if (gpiod_line_settings_set_bias(target, bias_of(settings->bias)) < 0) return -1;
    if (gpiod_line_settings_set_event_clock(target, GPIOD_LINE_CLOCK_MONOTONIC) < 0) return -1;
    gpiod_line_settings_set_active_low(target, settings->is_active_low);
    gpiod_line_settings_set_debounce_period_us(target, settings->debounce_us);
    return 0;
}

static struct gpiod_line_request *request(
    covey_gpio_chip *chip, unsigned int number, const struct covey_gpio_settings *settings, uint32_t buffer_size
) {
    struct gpiod_line_request *result = NULL;
    struct gpiod_line_settings *line = gpiod_line_settings_new();
    struct gpiod_line_config *lines = gpiod_line_config_new();
    struct gpiod_request_config *config = gpiod_request_config_new();
    if (line != NULL && lines != NULL && config != NULL && configure(line, settings) == 0
        && gpiod_line_config_add_line_settings(lines, &number, 1, line) == 0) {
        char consumer[COVEY_GPIO_NAME_SIZE];
        covey_gpio_copy_name(consumer, settings->consumer);
        gpiod_request_config_set_consumer(config, consumer);
        gpiod_request_config_set_event_buffer_size(config, buffer_size);
        result = gpiod_chip_request_lines(chip->chip, config, lines);
    }
    int error = errno;
    if (config != NULL) gpiod_request_config_free(config);
    if (lines != NULL) gpiod_line_config_free(lines);
    if (line != NULL) gpiod_line_settings_free(line);
    errno = error;
    return result;
}

// Whether the kernel took the debounce period; older ones and some chips do not.
static bool debounces(covey_gpio_chip *chip, unsigned int number) {
    struct gpiod_line_info *info = gpiod_chip_get_line_info(chip->chip, number);
    if (info == NULL) return false;
    bool result = gpiod_line_info_is_debounced(info);
    gpiod_line_info_free(info);
    return result;
}

// Fills a line whose fields are empty; on failure what it holds is released by the caller.
static int fill(covey_gpio_line *target, covey_gpio_chip *chip, const struct covey_gpio_settings *settings) {
    target->request = request(chip, target->number, settings, target->buffer_size);
    if (target->request == NULL) return -1;
    target->is_debounced = settings->debounce_us > 0 && debounces(chip, target->number);
    if (!target->has_edges) return 0;
    target->buffer = gpiod_edge_event_buffer_new(target->buffer_size);
    if (target->buffer == NULL) return -1;
    return covey_gpio_set_nonblocking(gpiod_line_request_get_fd(target->request));
}

covey_gpio_line *covey_gpio_line_request(
    covey_gpio_chip *chip, uint32_t number, const struct covey_gpio_settings *settings
) {
    covey_gpio_line *result = calloc(1, sizeof *result);
    if (result == NULL) return NULL;
    result->number = number;
    result->has_edges = settings->edge != COVEY_GPIO_EDGE_NONE;
    // The kernel silently takes its own default for 0 and its own limit for more.
    result->buffer_size = settings->event_buffer_size == 0 ? 16
        : settings->event_buffer_size > COVEY_GPIO_EVENTS_MAX ? COVEY_GPIO_EVENTS_MAX
        : settings->event_buffer_size;
    if (fill(result, chip, settings) < 0) {
        int error = errno;
        covey_gpio_line_release(result);
        errno = error;
        return NULL;
    }
    return result;
}

void covey_gpio_line_release(covey_gpio_line *line) {
    if (line == NULL) return;
    if (line->buffer != NULL) gpiod_edge_event_buffer_free(line->buffer);
    if (line->request != NULL) gpiod_line_request_release(line->request);
    free(line);
}

int covey_gpio_line_get_fd(const covey_gpio_line *line) {
    return line->has_edges ? gpiod_line_request_get_fd(line->request) : -1;
}

bool covey_gpio_line_is_debounced(const covey_gpio_line *line) { return line->is_debounced; }

uint32_t covey_gpio_line_get_buffer_size(const covey_gpio_line *line) {
    return line->has_edges ? line->buffer_size : 0;
}

int covey_gpio_line_get_value(covey_gpio_line *line) {
    switch (gpiod_line_request_get_value(line->request, line->number)) {
    case GPIOD_LINE_VALUE_ACTIVE: return 1;
    case GPIOD_LINE_VALUE_INACTIVE: return 0;
    case GPIOD_LINE_VALUE_ERROR: break;
    }
    return -1;
}

int covey_gpio_line_read_events(covey_gpio_line *line, struct covey_gpio_event *events, size_t capacity) {
    if (!line->has_edges || capacity == 0) return 0;
    size_t limit = capacity < line->buffer_size ? capacity : line->buffer_size;
    int count = gpiod_line_request_read_edge_events(line->request, line->buffer, limit);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    for (int index = 0; index < count; index++) {
        struct gpiod_edge_event *event = gpiod_edge_event_buffer_get_event(line->buffer, (unsigned long)index);
        events[index] = (struct covey_gpio_event){
            .timestamp_ns = gpiod_edge_event_get_timestamp_ns(event),
            .sequence = (uint32_t)gpiod_edge_event_get_line_seqno(event),
            .is_rising = gpiod_edge_event_get_event_type(event) == GPIOD_EDGE_EVENT_RISING_EDGE,
        };
    }
    return count;
}

#endif
