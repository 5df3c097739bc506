import Model

/// Values that stand alone as text, as many sensors send them.
enum PlainValue {
    /// Reads a finite number or a state word. `place` begins the rejection's detail.
    static func read(_ text: some Collection<UInt8>, place: String = "") throws(Rejection) -> Value {
        if let flag = flag(text) { return .flag(flag) }
        return .number(try number(text, place: place))
    }

    /// Reads a finite number with white space around it.
    static func number(_ text: some Collection<UInt8>, place: String = "") throws(Rejection) -> Double {
        let bytes = trimmed(text)
        var position = 0
        switch JSONNumber.scan(bytes, at: &position, end: bytes.count, strict: false) {
        case .value(let number) where position == bytes.count: return number
        case .unrepresentable where position == bytes.count:
            throw Rejection(.notANumber, "\(place)\(excerpt(bytes)) is beyond a double's range")
        default: throw Rejection(.notANumber, "\(place)\(excerpt(bytes)) is neither a finite number nor a state")
        }
    }

    /// `true` for `ON`, `true`, `open`, `yes`, `online`, `detected`, `active`; `false` for their opposites; in any case of letters.
    static func flag(_ text: some Collection<UInt8>) -> Bool? {
        let bytes = trimmed(text)
        guard (2...8).contains(bytes.count) else { return nil }
        switch String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self) {
        case "on", "true", "open", "yes", "online", "detected", "active": return true
        case "off", "false", "closed", "no", "offline", "clear", "inactive": return false
        default: return nil
        }
    }

    static func trimmed(_ text: some Collection<UInt8>) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var bytes = Array(text.drop(while: isSpace))
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }
}
