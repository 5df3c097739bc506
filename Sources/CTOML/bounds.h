#ifndef CTOML_BOUNDS_H
#define CTOML_BOUNDS_H

#include <cstddef>
#include <cstdint>

namespace ctoml {

/// Values inside values, and segments of one dotted key. Honest configurations need four; what toml++ and its destructors do per
/// level is recursion, so that the product of the two bounds the stack.
constexpr std::size_t deepest_value = 16;
constexpr std::size_t longest_dotted_key = 16;

/// Where a text breaks a bound that toml++ itself does not check.
struct broken_bound {
    const char *message;
    std::uint32_t line;
    std::uint32_t column;
};

/// Looks for dotted keys with too many segments. Follows strings and comments as TOML has them; `message` is null where all is well.
broken_bound find_broken_bound(const char *text, std::size_t length) noexcept;

}  // namespace ctoml

#endif
