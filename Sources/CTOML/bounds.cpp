#include "bounds.h"

namespace ctoml {

namespace {

enum class state { plain, comment, basic, literal, long_basic, long_literal };

/// Walks the text once, remembering only what kind of text it is in and how many dots the present key has.
class walker {
public:
    walker(const char *text, std::size_t length) noexcept : text_{text}, length_{length} {}

    broken_bound run() noexcept {
        while (at_ < length_) {
            if (!step()) return {"a dotted key has too many parts (16 at most)", line_, column_};
        }
        return {nullptr, 0, 0};
    }

private:
    /// False where the key under the cursor is too long.
    bool step() noexcept {
        const char byte = text_[at_];
        switch (state_) {
        case state::plain: return plain(byte);
        case state::comment: advance(1); break;
        case state::basic:
        case state::long_basic:
            if (byte == '\\')
                advance(2);
            else
                close('"', state_ == state::long_basic);
            break;
        case state::literal:
        case state::long_literal: close('\'', state_ == state::long_literal); break;
        }
        // A line's end closes what TOML keeps on one line; where that was a fault, the parser stops there anyway.
        if (byte == '\n' && state_ != state::long_basic && state_ != state::long_literal) {
            state_ = state::plain;
            dots_ = 0;
        }
        return true;
    }

    bool plain(char byte) noexcept {
        switch (byte) {
        case '"':
        case '\'': open(byte); return true;
        case '#': state_ = state::comment; break;
        case '.':
            if (++dots_ >= longest_dotted_key) return false;
            break;
        case '\n':
        case '=':
        case ',':
        case '[':
        case ']':
        case '{':
        case '}': dots_ = 0; break;
        default: break;
        }
        advance(1);
        return true;
    }

    void open(char quote) noexcept {
        const bool is_long = run_of(quote) >= 3;
        if (is_long)
            state_ = quote == '"' ? state::long_basic : state::long_literal;
        else
            state_ = quote == '"' ? state::basic : state::literal;
        advance(is_long ? 3 : 1);
    }

    /// Ends a string where its closing quotes stand; a long string may end in two quotes of its own.
    void close(char quote, bool is_long) noexcept {
        const std::size_t quotes = run_of(quote);
        if (!is_long && quotes >= 1) {
            state_ = state::plain;
            advance(1);
        } else if (is_long && quotes >= 3) {
            state_ = state::plain;
            advance(quotes > 5 ? 5 : quotes);
        } else {
            advance(quotes > 0 ? quotes : 1);
        }
    }

    std::size_t run_of(char quote) const noexcept {
        std::size_t count = 0;
        while (count < 6 && at_ + count < length_ && text_[at_ + count] == quote) ++count;
        return count;
    }

    void advance(std::size_t count) noexcept {
        for (; count > 0 && at_ < length_; --count, ++at_) {
            if (text_[at_] == '\n') {
                ++line_;
                column_ = 1;
            } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0) != 0x80) {
                ++column_;
            }
        }
    }

    const char *text_;
    std::size_t length_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::uint32_t column_ = 1;
    std::size_t dots_ = 0;
    state state_ = state::plain;
};

}  // namespace

broken_bound find_broken_bound(const char *text, std::size_t length) noexcept { return walker{text, length}.run(); }

}  // namespace ctoml
