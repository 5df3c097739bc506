import Model

/// A reading on its way into a cold block, with indexes in the place of what many share.
struct ColdRow {
    enum Kind: UInt8 {
        case number, flag, text
    }

    /// In the builder's list.
    var log: Int32
    /// In the segment's dictionary.
    var series: Int32
    /// In the builder's list.
    var context: Int32
    var kind: Kind
    var quality: UInt8
    var offset: UInt64
    var uptime: Int64
    /// The number's bits, 0 or 1, or the text's place in the builder's list.
    var bits: UInt64
    /// Milliseconds.
    var deviceTime: Int64?
}
