import Model

/// What is still to be told, one rumour for each member that it speaks of; a newer one replaces it. Least often sent
/// goes first.
struct RumourQueue: Sendable {
    private struct Rumour {
        let record: [UInt8]
        let number: UInt64
    }

    private struct Entry {
        let node: NodeID
        let number: UInt64
    }

    /// Looked up only, never walked through.
    private var rumours: [NodeID: Rumour] = [:]
    /// By how often sent, each in order of arrival. An entry whose number its rumour no longer has was replaced.
    private var buckets: [[Entry]] = []
    private var lastNumber: UInt64 = 0

    var isEmpty: Bool { rumours.isEmpty }
    var count: Int { rumours.count }

    mutating func put(_ record: [UInt8], about node: NodeID) {
        lastNumber += 1
        rumours[node] = Rumour(record: record, number: lastNumber)
        if buckets.isEmpty { buckets.append([]) }
        buckets[0].append(Entry(node: node, number: lastNumber))
        // Replaced entries are dropped when they come up; this drops them where nothing is ever sent.
        if buckets[0].count > 2 * MembershipLimits.members { sweep() }
    }

    func holds(_ node: NodeID) -> Bool { rumours[node] != nil }

    mutating func removeAll() {
        rumours = [:]
        buckets = []
    }

    /// Adds rumours while `message` stays within `limit` bytes, and retires those that were then sent `transmissions`
    /// times.
    mutating func fill(_ message: inout [UInt8], limit: Int, transmissions: Int) {
        guard !rumours.isEmpty else { return }
        var moved: [(bucket: Int, entry: Entry)] = []
        var isFull = false
        for sent in buckets.indices where !isFull {
            var taken = 0
            for entry in buckets[sent] {
                if let rumour = rumours[entry.node], rumour.number == entry.number {
                    guard message.count + rumour.record.count <= limit else {
                        isFull = true
                        break
                    }
                    message.append(contentsOf: rumour.record)
                    if sent + 1 < transmissions {
                        moved.append((sent + 1, entry))
                    } else {
                        rumours[entry.node] = nil
                    }
                }
                taken += 1
            }
            buckets[sent].removeFirst(taken)
        }
        for (bucket, entry) in moved {
            while buckets.count <= bucket { buckets.append([]) }
            buckets[bucket].append(entry)
        }
    }

    private mutating func sweep() {
        for sent in buckets.indices {
            buckets[sent].removeAll { rumours[$0.node]?.number != $0.number }
        }
    }
}
