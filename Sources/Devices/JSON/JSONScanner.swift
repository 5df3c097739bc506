import Model

/// Reads one JSON document (RFC 8259) in a flat walk: no tree, no recursion, every byte looked at once or twice. Total: any bytes give
/// either a whole document or one ``Rejection`` with the byte offset (from 0) where it went wrong.
///
/// A name that stands twice in one object is malformed: RFC 8259 leaves its meaning open, senders that do it disagree with their own
/// readers, and picking one of the two values would be a silent guess.
struct JSONScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var path: [UInt8] = []
    private var frames: [Frame] = []
    private var keys = JSONKeys()
    /// Text of strings that held escapes; at most as long as the document.
    private var unescaped: [UInt8] = []

    /// An object or array that is open.
    private struct Frame {
        let isArray: Bool
        let pathLength: Int
        let firstKey: Int
        var count = 0
    }

    /// A string's bytes: in the document itself, or among the unescaped ones.
    private struct Text {
        let range: Range<Int>
        let isUnescaped: Bool
    }

    /// Walks the document in `payload`, at most ``Limits/payloadBytes`` long. Throws `empty`, `too-large`, `invalid-utf8`, `malformed`,
    /// `too-deep`, and what the visitor throws.
    static func scan(_ payload: [UInt8], into visitor: inout some JSONVisitor) throws(Rejection) {
        try checkText(payload)
        var scanner = JSONScanner(bytes: payload)
        try scanner.document(&visitor)
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
        path.reserveCapacity(64)
        frames.reserveCapacity(4)
    }

    // MARK: Structure

    private mutating func document(_ visitor: inout some JSONVisitor) throws(Rejection) {
        skipSpace()
        if position == bytes.count { throw Rejection(.empty, "payload of \(bytes.count) bytes of white space") }
        try value(&visitor)
        while let frame = frames.last {
            path.removeLast(path.count - frame.pathLength)
            skipSpace()
            if try !close(frame) { try member(of: frame, &visitor) }
        }
        skipSpace()
        if position < bytes.count { throw malformed("expected the end of the document") }
    }

    /// Takes the bracket that ends `frame`, if that is what comes next, or else the comma before the next member.
    private mutating func close(_ frame: Frame) throws(Rejection) -> Bool {
        let bracket = frame.isArray ? UInt8(ascii: "]") : UInt8(ascii: "}")
        guard position < bytes.count else { throw malformed("expected \(frame.isArray ? "',' or ']'" : "',' or '}'")") }
        if bytes[position] == bracket {
            position += 1
            if !frame.isArray { try checkKeys(from: frame.firstKey) }
            frames.removeLast()
            return true
        }
        guard frame.count > 0 else { return false }
        guard bytes[position] == UInt8(ascii: ",") else {
            throw malformed("expected \(frame.isArray ? "',' or ']'" : "',' or '}'")")
        }
        position += 1
        skipSpace()
        return false
    }

    private mutating func member(of frame: Frame, _ visitor: inout some JSONVisitor) throws(Rejection) {
        frames[frames.count - 1].count += 1
        if frame.isArray {
            extendPath(with: String(frame.count).utf8)
        } else {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw malformed(frame.count == 0 ? "expected '\"' or '}'" : "expected '\"'")
            }
            let key = try string()
            if key.isUnescaped {
                keys.append(unescaped[key.range])
                extendPath(with: unescaped[key.range])
            } else {
                keys.append(bytes[key.range])
                extendPath(with: bytes[key.range])
            }
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw malformed("expected ':'") }
            position += 1
            skipSpace()
        }
        try value(&visitor)
    }

    private mutating func value(_ visitor: inout some JSONVisitor) throws(Rejection) {
        guard position < bytes.count else { throw malformed("expected a value") }
        switch bytes[position] {
        case UInt8(ascii: "{"): try open(isArray: false, &visitor)
        case UInt8(ascii: "["): try open(isArray: true, &visitor)
        case UInt8(ascii: "\""):
            let text = try string()
            try visitor.leaf(.text(text.isUnescaped ? unescaped[text.range] : bytes[text.range]), at: path)
        case UInt8(ascii: "t"):
            try word("true")
            try visitor.leaf(.flag(true), at: path)
        case UInt8(ascii: "f"):
            try word("false")
            try visitor.leaf(.flag(false), at: path)
        case UInt8(ascii: "n"):
            try word("null")
            try visitor.leaf(.null, at: path)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let start = position
            switch JSONNumber.scan(bytes, at: &position, end: bytes.count, strict: true) {
            case .value(let number): try visitor.leaf(.number(number), at: path)
            case .unrepresentable: try visitor.leaf(.unrepresentable(bytes[start..<position]), at: path)
            case .malformed(let place):
                position = place
                throw malformed("expected a digit")
            }
        default: throw malformed("expected a value")
        }
    }

    private mutating func open(isArray: Bool, _ visitor: inout some JSONVisitor) throws(Rejection) {
        if frames.count == Limits.jsonDepth {
            throw Rejection(.tooDeep, "byte \(position): nested deeper than \(Limits.jsonDepth) levels")
        }
        if !frames.isEmpty { visitor.container(isArray: isArray, at: path) }
        position += 1
        frames.append(Frame(isArray: isArray, pathLength: path.count, firstKey: keys.count))
    }

    // MARK: Parts

    private mutating func extendPath(with name: some Collection<UInt8>) {
        if frames.count > 1 { path.append(UInt8(ascii: ".")) }
        path.append(contentsOf: name.prefix(max(0, Limits.metricNameBytes + 1 - path.count)))
    }

    private mutating func checkKeys(from first: Int) throws(Rejection) {
        if let name = keys.closeObject(from: first) {
            throw Rejection(.malformed, "byte \(position - 1): an object that names \(excerpt(name)) twice ends here")
        }
    }

    private mutating func word(_ word: StaticString) throws(Rejection) {
        let count = word.utf8CodeUnitCount
        for index in 0..<count {
            guard position + index < bytes.count, bytes[position + index] == word.utf8Start[index] else {
                position += index
                throw malformed("expected '\(word)'")
            }
        }
        position += count
    }

    /// Reads a string from its opening quote on. The document is valid UTF-8 already, so only quotes, escapes and controls matter.
    private mutating func string() throws(Rejection) -> Text {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return Text(range: start..<position - 1, isUnescaped: false)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw malformed("a control character in a string") }
            position += 1
        }
        throw malformed("expected '\"'")
    }

    private mutating func escapedString(from start: Int) throws(Rejection) -> Text {
        let first = unescaped.count
        unescaped.append(contentsOf: bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return Text(range: first..<unescaped.count, isUnescaped: true)
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20:
                position -= 1
                throw malformed("a control character in a string")
            default: unescaped.append(byte)
            }
        }
        throw malformed("expected '\"'")
    }

    private mutating func escape() throws(Rejection) {
        guard position < bytes.count else { throw malformed("expected an escape") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try escapedScalar()
            unescaped.append(contentsOf: String(scalar).utf8)
        default:
            position -= 1
            throw malformed("unknown escape")
        }
    }

    private mutating func escapedScalar() throws(Rejection) -> Unicode.Scalar {
        let start = position - 2
        let unit = try hexadecimal4()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        if unit < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            position += 2
            let low = try hexadecimal4()
            if (0xDC00...0xDFFF).contains(low),
                let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
            {
                return scalar
            }
        }
        throw Rejection(.malformed, "byte \(start): half of a surrogate pair")
    }

    private mutating func hexadecimal4() throws(Rejection) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw malformed("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func malformed(_ what: String) -> Rejection {
        Rejection(.malformed, "byte \(position): \(what)" + (position == bytes.count ? ", the document ends" : ""))
    }
}

/// What every decoder asks of a payload first: something in it, not too much, and UTF-8.
func checkText(_ payload: [UInt8]) throws(Rejection) {
    if payload.isEmpty { throw Rejection(.empty, "empty payload") }
    if payload.count > Limits.payloadBytes {
        throw Rejection(.tooLarge, "payload of \(payload.count) bytes; the limit is \(Limits.payloadBytes)")
    }
    do {
        _ = try UTF8Span(validating: payload.span)
    } catch {
        throw Rejection(.invalidUTF8, "byte \(error.byteOffsets.lowerBound): not UTF-8")
    }
}
