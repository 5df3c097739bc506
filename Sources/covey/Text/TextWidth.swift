/// How wide text is on a terminal, and how it is made to fit. Devices and sinks are strangers: what they say may hold escape
/// sequences, which must not reach the terminal.

/// Text without control characters and direction overrides, each replaced by `·`.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isUnprintable($0) ? "·" : $0 }))
}

private func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
    // Joiners belong to emoji and to scripts; the rest of the formats reorder or hide text.
    case .format: scalar != "\u{200D}" && scalar != "\u{200C}"
    default: false
    }
}

/// Columns that printable text takes.
func columns(_ text: String) -> Int {
    text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.reduce(0) { $0 + columns($1) }
}

private func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    if scalar.properties.generalCategory == .nonspacingMark || scalar.properties.generalCategory == .enclosingMark {
        return 0
    }
    if scalar.properties.isEmojiPresentation { return 2 }
    return switch scalar.value {
    // East Asian wide and full-width blocks.
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60,
        0xFFE0...0xFFE6, 0x20000...0x3FFFD:
        2
    default: character.unicodeScalars.contains("\u{FE0F}") ? 2 : 1
    }
}

/// The text, cut with `…` where it is wider than `width`.
func cut(_ text: String, to width: Int) -> String {
    if columns(text) <= width { return text }
    guard width > 0 else { return "" }
    var kept = ""
    var used = 0
    for character in text {
        let next = columns(character)
        if used + next > width - 1 { break }
        kept.append(character)
        used += next
    }
    return kept + "…"
}

/// Text in lines of at most `width` columns, broken between words; a word that is wider is cut.
func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in printable(text).split(separator: " ") {
        let word = cut(String(word), to: width)
        if line.isEmpty {
            line = word
        } else if columns(line) + 1 + columns(word) <= width {
            line += " " + word
        } else {
            lines.append(line)
            line = word
        }
    }
    return line.isEmpty ? lines : lines + [line]
}
