// What both generations of libgpiod do alike.
#include "generation.h"

covey_gpio_chip *covey_gpio_chip_open(const char *path) {
    covey_gpio_chip *result = calloc(1, sizeof *result);
    if (result == NULL) return NULL;
    result->chip = gpiod_chip_open(path);
    if (result->chip == NULL) {
        int error = errno;
        free(result);
        errno = error;
        return NULL;
    }
    return result;
}

void covey_gpio_chip_close(covey_gpio_chip *chip) {
    if (chip == NULL) return;
    gpiod_chip_close(chip->chip);
    free(chip);
}
