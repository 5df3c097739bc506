import Model

/// What the forms on top of JSON differ in.
struct LeafRules: Sendable {
    /// The only paths wanted; empty for all.
    var paths: [NamedPath] = []
    /// Paths that say something about the other values rather than being values: the device's time, its units.
    var remarks: [[UInt8]] = []
    /// Whether `"ON"` and `"OFF"` are states rather than text.
    var readsOnOff = false
    /// Whether `null` is the form's word for "no value yet", and thus no fault, in a path that nobody named.
    var allowsNull = false

    struct NamedPath: Sendable {
        let bytes: [UInt8]
        let setting: PathSetting

        init(_ setting: PathSetting) {
            bytes = Array(setting.path.utf8)
            self.setting = setting
        }
    }
}

/// Collects the wanted values of one document.
struct LeafCollector: JSONVisitor {
    /// A value, not yet given its unit and time: those may stand behind it in the document.
    struct Found {
        let metric: String
        /// The unit that the configuration gives for this path.
        let unit: String?
        let value: Value
    }

    /// A value at one of the rules' `remarks`.
    struct Remark {
        let path: [UInt8]
        let value: Value
    }

    private let rules: LeafRules
    private var isSeen: [Bool]
    private(set) var found: [Found] = []
    private(set) var remarks: [Remark] = []
    private(set) var rejections: [Rejection] = []

    /// Reads the whole document. Throws where the document as a whole gives nothing; faults of single members are in `rejections`.
    static func collect(_ payload: [UInt8], rules: LeafRules) throws(Rejection) -> LeafCollector {
        var collector = LeafCollector(rules)
        try JSONScanner.scan(payload, into: &collector)
        try collector.finish()
        return collector
    }

    private init(_ rules: LeafRules) {
        self.rules = rules
        isSeen = Array(repeating: false, count: rules.paths.count)
        found.reserveCapacity(8)
    }

    mutating func leaf(_ leaf: JSONLeaf, at path: [UInt8]) throws(Rejection) {
        if rules.remarks.contains(where: { $0 == path }) { return remark(leaf, at: path) }
        if rules.paths.isEmpty {
            if case .null = leaf, rules.allowsNull { return }
            if path.count > Limits.metricNameBytes {
                rejections.append(Rejection(.badName, "\(place(path)): a path over \(Limits.metricNameBytes) bytes"))
            } else {
                take(leaf, at: path)
            }
        } else {
            for (index, named) in rules.paths.enumerated() where named.bytes == path {
                isSeen[index] = true
                take(leaf, at: path, as: named.setting)
            }
        }
        if found.count + rejections.count > Limits.readingsPerMessage {
            throw Rejection(.tooManyReadings, "more than \(Limits.readingsPerMessage) values in one message")
        }
    }

    mutating func container(isArray: Bool, at path: [UInt8]) {
        for (index, named) in rules.paths.enumerated() where named.bytes == path {
            isSeen[index] = true
            rejections.append(Rejection(.wrongType, "\(place(path)): an \(isArray ? "array" : "object") is no value"))
        }
    }

    private mutating func finish() throws(Rejection) {
        for (index, named) in rules.paths.enumerated() where !isSeen[index] {
            rejections.append(Rejection(.missingPath, "\(place(named.bytes)): not in the document"))
        }
        if found.isEmpty, rejections.isEmpty { throw Rejection(.empty, "no value in the document") }
    }

    // MARK: Values

    private mutating func take(_ leaf: JSONLeaf, at path: [UInt8], as setting: PathSetting? = nil) {
        do throws(Rejection) {
            let value = try value(of: leaf, at: path, kind: setting?.kind)
            let metric = setting?.metric ?? (path.isEmpty ? "value" : String(decoding: path, as: UTF8.self))
            found.append(Found(metric: metric, unit: setting?.unit, value: value))
        } catch {
            rejections.append(error)
        }
    }

    private func value(of leaf: JSONLeaf, at path: [UInt8], kind: ValueKind?) throws(Rejection) -> Value {
        switch leaf {
        case .number(let number):
            if kind == .flag, number == 0 || number == 1 { return .flag(number == 1) }
            if kind == nil || kind == .number { return .number(number) }
            throw wrongType("\(number)", at: path, kind)
        case .unrepresentable(let text):
            throw Rejection(.notANumber, "\(place(path)): \(excerpt(text)) is beyond a double's range")
        case .flag(let flag):
            if kind == nil || kind == .flag { return .flag(flag) }
            throw wrongType(flag ? "true" : "false", at: path, kind)
        case .null: throw Rejection(.notANumber, "\(place(path)): null is no value")
        case .text(let text): return try value(of: text, at: path, kind: kind)
        }
    }

    private func value(of text: ArraySlice<UInt8>, at path: [UInt8], kind: ValueKind?) throws(Rejection) -> Value {
        switch kind {
        case .number:
            do throws(Rejection) { return .number(try PlainValue.number(text)) } catch {
                throw wrongType(excerpt(text), at: path, kind)
            }
        case .flag:
            guard let flag = PlainValue.flag(text) else { throw wrongType(excerpt(text), at: path, kind) }
            return .flag(flag)
        case .text, nil:
            if text.isEmpty { throw Rejection(.empty, "\(place(path)): empty text") }
            if text.count > Limits.textValueBytes {
                let size = "text of \(text.count) bytes; the limit is \(Limits.textValueBytes)"
                throw Rejection(.tooLarge, "\(place(path)): \(size)")
            }
            if kind == nil, rules.readsOnOff, text.count <= 3 {
                if text.elementsEqual("ON".utf8) { return .flag(true) }
                if text.elementsEqual("OFF".utf8) { return .flag(false) }
            }
            return .text(String(decoding: text, as: UTF8.self))
        }
    }

    private func wrongType(_ shown: String, at path: [UInt8], _ kind: ValueKind?) -> Rejection {
        Rejection(.wrongType, "\(place(path)): \(shown) is not a \(kind?.rawValue ?? "value")")
    }

    private mutating func remark(_ leaf: JSONLeaf, at path: [UInt8]) {
        switch leaf {
        case .number(let number): remarks.append(Remark(path: path, value: .number(number)))
        case .text(let text) where text.count <= Limits.textValueBytes:
            remarks.append(Remark(path: path, value: .text(String(decoding: text, as: UTF8.self))))
        case .null: break
        default: rejections.append(Rejection(.wrongType, "\(place(path)): neither a time nor a unit"))
        }
    }

    /// Counts a remark that was not understood.
    mutating func reject(_ rejection: Rejection) { rejections.append(rejection) }
}
