import Model

/// What a sink took from this gateway of one log or refused, and who knows of it.
///
/// The claim has room for ``UploadClaim/mostReceipts`` of what was taken, and beside them for ``UploadClaim/mostRefusals``. When either
/// is full, the oldest neighbours of that kind become one, as digests of runs add up; where nothing can be merged, the oldest of that
/// kind is forgotten: what it proved is then sent once more by whoever missed it.
struct OwnReceipts: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        var receipt: UploadReceipt
        /// The number of the claim that told of it first; `nil` before one has.
        var claim: UInt64?
        /// The version of this gateway's gossip that holds that claim; `nil` until its owner said.
        var version: UInt64?
    }

    /// Oldest first, of both kinds.
    private(set) var entries: [Entry] = []
    /// Taken by the sink, digest not known yet; oldest first.
    private(set) var unsigned: [Range<Offset>] = []
    /// Refused by the sink, digest not known yet; oldest first, at most ``UploadClaim/mostRefusals``.
    private(set) var unsignedRefusals: [Range<Offset>] = []
    /// Known to be at the sink, told anew for peers that cannot prove it; digest not known yet.
    private(set) var vouched: [Range<Offset>] = []
    var isUnsigned: Bool { !unsigned.isEmpty || !unsignedRefusals.isEmpty || !vouched.isEmpty }
    private var claims: UInt64 = 0
    private var versions: UInt64 = 0

    /// Digests that may be missing at a time; more than the chunks that are accepted while one is read.
    static let mostUnsigned = 64

    mutating func add(_ range: Range<Offset>) {
        guard !unsigned.contains(range) else { return }
        unsigned.append(range)
        if unsigned.count > Self.mostUnsigned { unsigned.removeFirst() }
    }

    mutating func addRefused(_ range: Range<Offset>) {
        guard !unsignedRefusals.contains(range) else { return }
        unsignedRefusals.append(range)
        if unsignedRefusals.count > UploadClaim.mostRefusals { unsignedRefusals.removeFirst() }
    }

    mutating func vouch(_ range: Range<Offset>) {
        if !vouched.contains(range), !unsigned.contains(range) { vouched.append(range) }
    }

    /// The digest of `range` is known, or (`nil`) cannot be. Returns whether there is a new receipt.
    mutating func sign(_ range: Range<Offset>, _ digest: UInt64?) -> Bool {
        let isRefused = unsignedRefusals.contains(range)
        let isNew = unsigned.contains(range)
        let isTaken = isNew || vouched.contains(range)
        guard isRefused || isTaken else { return false }
        unsigned.removeAll { $0 == range }
        vouched.removeAll { $0 == range }
        unsignedRefusals.removeAll { $0 == range }
        guard let digest else { return false }
        if isRefused { add(UploadReceipt(range: range, digest: digest, isRefused: true)) }
        // What is vouched for is no news that a hand-over could miss.
        let known: UInt64? = isNew ? nil : 0
        if isTaken { add(Entry(receipt: UploadReceipt(range: range, digest: digest), claim: known, version: known)) }
        return true
    }

    mutating func add(_ receipt: UploadReceipt) { add(Entry(receipt: receipt)) }

    private mutating func add(_ entry: Entry) {
        guard !entries.contains(where: { $0.receipt == entry.receipt }) else { return }
        entries.append(entry)
        let isRefused = entry.receipt.isRefused
        let room = isRefused ? UploadClaim.mostRefusals : UploadClaim.mostReceipts
        if entries.count(where: { $0.receipt.isRefused == isRefused }) > room { makeRoom(isRefused: isRefused) }
    }

    private mutating func makeRoom(isRefused: Bool) {
        for index in entries.indices where entries[index].receipt.isRefused == isRefused {
            let one = entries[index].receipt
            guard let next = entries.indices.dropFirst(index + 1).first(where: { entries[$0].receipt.touches(one) }),
                one.range.length + entries[next].receipt.range.length <= UInt64(UploadClaim.receiptReadings)
            else { continue }
            let other = entries[next]
            let (claims, versions) = ([entries[index].claim, other.claim], [entries[index].version, other.version])
            let low = min(one.range.lowerBound, other.receipt.range.lowerBound)
            let high = max(one.range.upperBound, other.receipt.range.upperBound)
            // Known to a peer only where both parts are.
            entries[index] = Entry(
                receipt: UploadReceipt(
                    range: low..<high, digest: one.digest &+ other.receipt.digest, isRefused: isRefused),
                claim: claims.contains(nil) ? nil : claims.compactMap(\.self).max(),
                version: versions.contains(nil) ? nil : versions.compactMap(\.self).max())
            entries.remove(at: next)
            return
        }
        if let oldest = entries.firstIndex(where: { $0.receipt.isRefused == isRefused }) { entries.remove(at: oldest) }
    }

    /// A claim is written that tells of all entries.
    mutating func told() {
        claims += 1
        for index in entries.indices where entries[index].claim == nil { entries[index].claim = claims }
    }

    /// Claims get their versions in the order in which they were written.
    mutating func published(_ version: UInt64) {
        versions += 1
        for index in entries.indices where entries[index].claim == versions { entries[index].version = version }
    }

    /// Chunks of which a gateway that knows everything up to `version` does not know all receipts. A refusal without a digest holds
    /// nothing up: what it names may be gone before it could be read.
    func chunksUnknown(at version: UInt64, chunk: Int) -> Int {
        let unknown = entries.filter { $0.version.map { $0 > version } ?? true }.map(\.receipt.range) + unsigned
        let size = UInt64(chunk)
        var chunks: [UInt64] = []
        for range in unknown {
            for number in range.lowerBound.rawValue / size...(range.upperBound.rawValue - 1) / size
            where !chunks.contains(number) { chunks.append(number) }
        }
        return chunks.count
    }
}

extension UploadReceipt {
    fileprivate func touches(_ other: UploadReceipt) -> Bool {
        guard isRefused == other.isRefused else { return false }
        return range.upperBound == other.range.lowerBound || other.range.upperBound == range.lowerBound
    }
}
