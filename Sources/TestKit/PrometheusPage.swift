/// A strict reader of Prometheus' text format 0.0.4: what Prometheus forgives, it does not.
package struct PrometheusPage {
    package struct Sample: Equatable {
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    package struct Family {
        package let name: String
        package var help: String?
        package var kind: String?
        package var samples: [Sample] = []
    }

    package struct Fault: Error, CustomStringConvertible {
        package let line: Int
        package let what: String
        package var description: String { "line \(line): \(what)" }
    }

    package private(set) var families: [Family] = []
    private var line = 0

    /// Throws at the first thing that is not as the format wants it.
    package init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Fault(line: 0, what: "not UTF-8") }
        guard text.unicodeScalars.last == "\n" else { throw Fault(line: 0, what: "no line feed at the end") }
        let lines = text.unicodeScalars.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
        for scalars in lines {
            line += 1
            try take(Array(scalars))
        }
        for family in families { try check(family) }
    }

    package subscript(name: String) -> Family? { families.first { $0.name == name } }

    private func fault(_ what: String) -> Fault { Fault(line: line, what: what) }

    private mutating func take(_ scalars: [Unicode.Scalar]) throws {
        if scalars.first == "#" { return try takeComment(scalars) }
        var rest = scalars[...]
        let name = Self.word(&rest) { Self.isName($0) || $0 == ":" }
        guard !name.isEmpty, !name.unicodeScalars.first!.properties.isASCIIDigit else { throw fault("no metric name") }
        var labels: [String: String] = [:]
        if rest.first == "{" { labels = try takeLabels(&rest) }
        guard rest.first == " " else { throw fault("no space before the value") }
        let text = String(String.UnicodeScalarView(rest.dropFirst()))
        let special: [String: Double] = ["+Inf": .infinity, "-Inf": -.infinity, "NaN": .nan]
        guard let value = special[text] ?? Double(text), special[text] != nil || value.isFinite else {
            throw fault("\(text) is no value")
        }
        guard var family = families.popLast() else { throw fault("a sample before any TYPE") }
        guard Self.belongs(name, to: family) else { throw fault("\(name) is not of \(family.name)") }
        guard !family.samples.contains(where: { $0.name == name && $0.labels == labels }) else {
            throw fault("\(name) \(labels) stands twice")
        }
        family.samples.append(Sample(name: name, labels: labels, value: value))
        families.append(family)
    }

    private mutating func takeComment(_ scalars: [Unicode.Scalar]) throws {
        let text = String(String.UnicodeScalarView(scalars))
        let words = text.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "#" else { throw fault("neither HELP nor TYPE: \(text)") }
        let name = String(words[2])
        switch words[1] {
        case "HELP":
            guard self[name] == nil else { throw fault("\(name) comes twice, or its HELP after its TYPE") }
            families.append(Family(name: name, help: String(words[3])))
        case "TYPE":
            guard ["counter", "gauge", "histogram", "summary", "untyped"].contains(String(words[3])) else {
                throw fault("\(words[3]) is no type")
            }
            if self[name] == nil { families.append(Family(name: name)) }
            guard families.last?.name == name, families.last?.kind == nil else { throw fault("\(name) comes twice") }
            families[families.count - 1].kind = String(words[3])
        default: throw fault("neither HELP nor TYPE: \(text)")
        }
    }

    private func takeLabels(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> [String: String] {
        var labels: [String: String] = [:]
        repeat {
            rest.removeFirst()  // the brace or a comma
            let name = Self.word(&rest, while: Self.isName)
            guard !name.isEmpty, !name.hasPrefix("__"), !name.unicodeScalars.first!.properties.isASCIIDigit else {
                throw fault("\(name) is no label name")
            }
            guard rest.popFirst() == "=", rest.popFirst() == "\"" else { throw fault("no =\" behind \(name)") }
            guard labels.updateValue(try takeValue(&rest), forKey: name) == nil else {
                throw fault("label \(name) stands twice")
            }
        } while rest.first == ","
        guard rest.popFirst() == "}" else { throw fault("no } behind the labels") }
        return labels
    }

    private func takeValue(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> String {
        var value = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            switch next {
            case "\"": return String(value)
            case "\\":
                let meanings: [Unicode.Scalar: Unicode.Scalar] = ["\\": "\\", "\"": "\"", "n": "\n"]
                guard let escaped = rest.popFirst(), let meaning = meanings[escaped] else {
                    throw fault("an escape that is none")
                }
                value.append(meaning)
            default: value.append(next)
            }
        }
        throw fault("a label value without an end")
    }

    private func check(_ family: Family) throws {
        guard let kind = family.kind else { throw Fault(line: 0, what: "\(family.name) has no TYPE") }
        guard !family.samples.isEmpty else { throw Fault(line: 0, what: "\(family.name) has no samples") }
        if kind == "counter" {
            guard family.name.hasSuffix("_total"), family.samples.allSatisfy({ $0.value >= 0 }) else {
                throw Fault(line: 0, what: "\(family.name) is no counter")
            }
        }
        if kind == "histogram" { try checkHistogram(family) }
    }

    /// Buckets ascend in bound and count, end at +Inf, and agree with the count.
    private func checkHistogram(_ family: Family) throws {
        var open: (labels: [String: String], bound: Double, count: Double)?
        var sums: Set<[String: String]> = []
        for sample in family.samples {
            var labels = sample.labels
            let bound = labels.removeValue(forKey: "le").map { $0 == "+Inf" ? .infinity : Double($0) ?? .nan }
            let what = Fault(line: 0, what: "\(family.name) is no histogram at \(sample)")
            switch String(sample.name.dropFirst(family.name.count)) {
            case "_bucket":
                guard let bound, !bound.isNaN else { throw what }
                if let before = open, before.labels == labels {
                    guard before.bound < bound, before.count <= sample.value else { throw what }
                } else if open != nil {
                    throw what
                }
                open = (labels, bound, sample.value)
            case "_sum":
                guard open?.labels == labels, open?.bound == .infinity, sums.insert(labels).inserted else { throw what }
            case "_count":
                guard open?.labels == labels, open?.count == sample.value, sums.contains(labels) else { throw what }
                open = nil
            default: throw what
            }
        }
        guard open == nil else { throw Fault(line: 0, what: "\(family.name) ends without a count") }
    }

    private static func belongs(_ name: String, to family: Family) -> Bool {
        guard family.kind == "histogram" else { return name == family.name }
        return ["_bucket", "_sum", "_count"].contains { name == family.name + $0 }
    }

    private static func isName(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || (scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.isASCIIDigit))
    }

    private static func word(
        _ rest: inout ArraySlice<Unicode.Scalar>, while isPart: (Unicode.Scalar) -> Bool
    ) -> String {
        var word = String.UnicodeScalarView()
        while let next = rest.first, isPart(next) {
            word.append(next)
            rest.removeFirst()
        }
        return String(word)
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isASCIIDigit: Bool { numericType == .decimal }
}
