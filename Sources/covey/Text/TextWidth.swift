/// How wide text is on a terminal, and how it is made to fit. Devices and sinks are strangers: what they say may hold
/// escape sequences, which must not reach the terminal.

/// Text with its control characters, direction overrides and unassigned characters written out: `\e[31m`, `\n`,
/// `\u{202E}`.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
        if isUnprintable(scalar) {
            shown += escape(scalar)
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return shown
}

private func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    case "\u{1B}": "\\e"
    default:
        scalar.value < 0x100
            ? "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            : "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
    }
}

private func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
    return switch scalar.properties.generalCategory {
    // What nobody has assigned has no width that anybody knows.
    case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
    // Joiners belong to emoji and to scripts; the rest of the formats reorder or hide text.
    case .format: scalar != "\u{200D}" && scalar != "\u{200C}"
    default: false
    }
}

/// Columns that printable text takes at most. Terminals differ in what they draw as one: an emoji of several parts
/// counts with all of them, so that no line is ever wider than was thought.
func columns(_ text: String) -> Int {
    text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.unicodeScalars.reduce(0) { $0 + columns($1) }
}

private func columns(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0..<0x300: return 1
    // The selector that turns a sign of one column into an emoji of two.
    case 0xFE0F: return 1
    // Letters of a flag, two of which make it; joiners.
    case 0x1F1E6...0x1F1FF: return 1
    case 0x200B...0x200F: return 0
    // East Asian wide and full-width blocks.
    case 0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1D300...0x1D37F, 0x1F200...0x1F320, 0x20000...0x3FFFD:
        return 2
    default:
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }
}

/// The text, cut with `…` where it is wider than `width`. What is read as one character stays whole.
func cut(_ text: String, to width: Int) -> String {
    if columns(text) <= width { return text }
    guard width > 0 else { return "" }
    var kept = ""
    var used = 0
    for character in text {
        let next = columns(String(character))
        if used + next > width - 1 { break }
        kept.append(character)
        used += next
    }
    return kept + "…"
}

/// Text in lines of at most `width` columns, the first of at most `first`, broken between words; a word that is wider
/// is broken too.
func wrapped(_ text: String, to rest: Int, first: Int? = nil) -> [String] {
    var width: Int { max(lines.isEmpty ? first ?? rest : rest, 2) }
    var lines: [String] = []
    var line = ""
    for word in printable(text).split(separator: " ") {
        if !line.isEmpty, columns(line) + 1 + columns(String(word)) <= width {
            line += " " + word
            continue
        }
        if !line.isEmpty { lines.append(line) }
        line = ""
        for character in word {
            if columns(line) + columns(String(character)) > width, !line.isEmpty {
                lines.append(line)
                line = ""
            }
            // An emoji of a dozen parts may be wider than all that there is.
            line += cut(String(character), to: width)
        }
    }
    return line.isEmpty ? lines : lines + [line]
}

/// Text under a mark: `mark` before the first line, as many spaces before the others.
func hanging(_ mark: String, _ text: String, to width: Int) -> [String] {
    let space = String(repeating: " ", count: columns(mark))
    return wrapped(text, to: width - columns(mark)).enumerated().map { ($0 == 0 ? mark : space) + $1 }
}
