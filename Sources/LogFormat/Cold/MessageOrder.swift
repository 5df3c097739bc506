import Model

/// In which order the messages of a block's groups came in. A message is named by its place when those of the first group are counted first,
/// then those of the second.
///
/// They nearly always came in the order of their times, which are stored anyway: then it takes one byte. Where two sources hand over what they
/// saw in turns, the few that are out of place are named, and where all is in disorder the group of each.
enum MessageOrder {
    private enum Form: UInt8 {
        case times = 0
        case exceptions = 1
        case groups = 2
    }

    /// So many steps per message, all in all, may messages be moved: bounds the work of both sides.
    private static let movesPerMessage = 16
    private static let digit: UInt64 = 11

    /// What of it is known before the order is.
    struct Groups {
        /// Messages of all groups, group by group.
        var times: [Int64] = []
        /// Of each message.
        var group: [Int32] = []
        /// Where a log's first message stands: order by time is within a log alone.
        var logStarts: [Int] = []

        /// Places of messages by log and time; where these are equal, as they stand.
        var sorted: [Int32] {
            var places = (0..<times.count).map { Int32($0) }
            for (index, start) in logStarts.enumerated() {
                let end = index + 1 < logStarts.count ? logStarts[index + 1] : times.count
                sort(&places, start..<end)
            }
            return places
        }

        /// A radix sort: times of one block differ in few digits.
        private func sort(_ places: inout [Int32], _ range: Range<Int>) {
            guard range.count > 1, let earliest = times[range].min(), let latest = times[range].max() else { return }
            let span = UInt64(bitPattern: latest &- earliest)
            var shift: UInt64 = 0
            var moved = [Int32](repeating: 0, count: range.count)
            while shift < 64, span >> shift > 0 {
                var starts = [Int](repeating: 0, count: 1 << Int(digit) + 1)
                for place in places[range] { starts[key(place, earliest, shift) + 1] += 1 }
                for index in 1..<starts.count { starts[index] += starts[index - 1] }
                for place in places[range] {
                    let key = key(place, earliest, shift)
                    moved[starts[key]] = place
                    starts[key] += 1
                }
                places.replaceSubrange(range, with: moved)
                shift += digit
            }
        }

        @inline(__always)
        private func key(_ place: Int32, _ earliest: Int64, _ shift: UInt64) -> Int {
            Int(UInt64(bitPattern: times[Int(place)] &- earliest) >> shift & (1 << digit - 1))
        }
    }

    /// `order`: places of messages as they came in; within each group ascending.
    static func write(_ order: [Int32], of groups: Groups, to bytes: inout [UInt8]) {
        let sorted = groups.sorted
        if order == sorted {
            bytes.append(Form.times.rawValue)
            return
        }
        var byGroup: [UInt8] = [Form.groups.rawValue]
        IntegerColumn.write(order.map { Int64(groups.group[Int($0)]) }, to: &byGroup)
        var named: [UInt8] = [Form.exceptions.rawValue]
        if let moves = moves(order, sorted) { IntegerColumn.write(moves, to: &named) } else { named = byGroup }
        bytes.append(contentsOf: named.count < byGroup.count ? named : byGroup)
    }

    /// Of each message in turn, how many come before it in `sorted` that are still to come; `nil` where that are too many.
    private static func moves(_ order: [Int32], _ sorted: [Int32]) -> [Int64]? {
        var rest = sorted
        var moves: [Int64] = []
        moves.reserveCapacity(order.count)
        var left = movesPerMessage * order.count
        for (head, wanted) in order.enumerated() {
            var place = head
            while rest[place] != wanted { place += 1 }
            left -= place - head
            guard left >= 0 else { return nil }
            moves.append(Int64(place - head))
            bring(place, to: head, in: &rest)
        }
        return moves
    }

    private static func bring(_ place: Int, to head: Int, in rest: inout [Int32]) {
        guard place > head else { return }
        let moved = rest[place]
        for index in stride(from: place, to: head, by: -1) { rest[index] = rest[index - 1] }
        rest[head] = moved
    }

    /// The group of each message as they came in, each group as often as it has messages.
    static func read(of groups: Groups, from reader: inout ByteReader) throws(FormatError) -> [Int32] {
        guard let form = Form(rawValue: try reader.byte()) else { throw .invalid("form of an order") }
        let count = groups.times.count
        switch form {
        case .times: return groups.sorted.map { groups.group[Int($0)] }
        case .exceptions:
            var rest = groups.sorted
            var left = movesPerMessage * count
            for (head, move) in try IntegerColumn.read(count, from: &reader).enumerated() {
                guard move >= 0, move < Int64(count - head), Int(move) <= left else {
                    throw .invalid("move of a message")
                }
                left -= Int(move)
                bring(head + Int(move), to: head, in: &rest)
            }
            return rest.map { groups.group[Int($0)] }
        case .groups:
            var left = [Int](repeating: 0, count: Int(groups.group.last ?? 0) + 1)
            for group in groups.group { left[Int(group)] += 1 }
            var order: [Int32] = []
            order.reserveCapacity(count)
            for group in try IntegerColumn.read(count, from: &reader) {
                guard left.indices.contains(Int(group)), left[Int(group)] > 0 else {
                    throw .invalid("group of a message")
                }
                left[Int(group)] -= 1
                order.append(Int32(group))
            }
            return order
        }
    }
}
