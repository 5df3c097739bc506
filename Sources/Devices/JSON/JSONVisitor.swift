/// One value that holds no others. Slices are valid UTF-8 and belong to the call: copy what must stay.
enum JSONLeaf {
    /// Always finite.
    case number(Double)
    /// A well-formed number that no double can hold, such as `1e400`; its text.
    case unrepresentable(ArraySlice<UInt8>)
    case flag(Bool)
    case null
    /// The text with its escapes resolved.
    case text(ArraySlice<UInt8>)
}

/// Is told of a document's values in their order, while the document is still being read: what it collected must be thrown away where
/// the scan then fails.
protocol JSONVisitor {
    /// `path` is dotted, array elements by their index from 0; empty for a document that is one bare value. It is cut at one byte
    /// more than ``Limits/metricNameBytes``, so that a path beyond the limit shows and costs no more. A throw ends the scan.
    mutating func leaf(_ leaf: JSONLeaf, at path: [UInt8]) throws(Rejection)

    /// An object or array begins at `path`. Not told of the document itself.
    mutating func container(isArray: Bool, at path: [UInt8])
}

/// Text in a rejection's detail: quoted, one line, at most 40 bytes of it.
func excerpt(_ bytes: some Collection<UInt8>) -> String {
    let shown = String(decoding: bytes.prefix(40), as: UTF8.self)
    var quoted = "\""
    for scalar in shown.unicodeScalars {
        quoted +=
            scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return quoted + (bytes.count > 40 ? "…\"" : "\"")
}

/// How a rejection names a place in a document: `$.meta.rssi`, or `$` for the document itself.
func place(_ path: some Collection<UInt8>) -> String {
    path.isEmpty ? "$" : "$." + String(excerpt(path).dropFirst().dropLast())
}
