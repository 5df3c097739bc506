import Model

/// A row of integers in as few bits as one of several guesses at the next (``Predictor``) makes possible; the writer tries all of them.
///
/// | field         | form             | there if                                                              |
/// |---------------|------------------|-----------------------------------------------------------------------|
/// | form          | 1 byte           | 0: all equal, and nothing follows but the first                       |
/// | first         | signed           | always                                                                |
/// | divisor       | unsigned, > 1    | form & 0x40: of all differences from the first                        |
/// | slope         | signed           | form & 0x20: the predictor's, less the hint                           |
/// | shift         | 6 bits           | form > 0: the first one of ``Rice``                                   |
/// | shift of runs | 6 bits           | form & 0x10: the same for the runs                                    |
/// | errors        | Rice codes       | form > 0: zigzag; with form & 0x10 each behind the count of zeros before; |
/// |               |                  | with form & 0x80 as they are, none being negative                      |
///
/// The rest of form is 1 and more: the place in ``Predictor/kinds`` and 1.
enum IntegerColumn {
    private static let sparse: UInt8 = 0x10
    private static let sloped: UInt8 = 0x20
    private static let divided: UInt8 = 0x40
    private static let rising: UInt8 = 0x80

    /// What writer and reader agree on for one column.
    private struct Plan {
        var kind = 0
        var slope: Int64 = 0
        var isSparse = false
        /// No error is negative. Never with ``isSparse``.
        var isRising = false
        var start = 0
        var runStart = 0
    }

    // MARK: Writing

    /// - Parameter hint: The slope that is likely; the one written becomes the next hint.
    /// - Parameter isSteady: The numbers mostly grow by the same, as times and counters do.
    /// - Parameter mayRise: Readers know the form of numbers that never fall.
    static func write(
        _ numbers: [Int64], isSteady: Bool, mayRise: Bool = false, hint: inout Int64, to bytes: inout [UInt8]
    ) {
        guard let first = numbers.first, numbers.contains(where: { $0 != first }) else {
            bytes.append(0)
            bytes.append(signed: numbers.first ?? 0)
            return
        }
        let (divisor, rest) = divided(numbers)
        let plan = best(rest, slope: isSteady ? medianStep(rest) : 0, mayRise: mayRise)
        let isSloped = plan.slope != 0
        bytes.append(
            UInt8(plan.kind + 1) | (plan.isSparse ? sparse : 0) | (isSloped ? sloped : 0)
                | (divisor > 1 ? Self.divided : 0) | (plan.isRising ? rising : 0))
        bytes.append(signed: first)
        if divisor > 1 { bytes.append(varint: divisor) }
        if isSloped {
            bytes.append(signed: plan.slope &- hint)
            hint = plan.slope
        }
        var writer = BitWriter()
        write(rest, plan, to: &writer)
        writer.flush()
        bytes.append(contentsOf: writer.bytes)
    }

    static func write(
        _ numbers: [Int64], isSteady: Bool = false, mayRise: Bool = false, to bytes: inout [UInt8]
    ) {
        var hint: Int64 = 0
        write(numbers, isSteady: isSteady, mayRise: mayRise, hint: &hint, to: &bytes)
    }

    /// The greatest common divisor of all differences from the first, and these divided by it: a sensor of 12 bits told in decimals, and
    /// times in whole milliseconds, have far fewer steps than digits.
    private static func divided(_ numbers: [Int64]) -> (divisor: UInt64, rest: [Int64]) {
        let first = numbers[0]
        var divisor: UInt64 = 0
        for number in numbers where divisor != 1 {
            let (difference, isTooLarge) = number.subtractingReportingOverflow(first)
            if isTooLarge || difference == .min { divisor = 1 } else { divisor = gcd(divisor, difference.magnitude) }
        }
        guard divisor > 1 else { return (1, numbers.dropFirst().map { $0 &- first }) }
        return (divisor, numbers.dropFirst().map { ($0 - first) / Int64(divisor) })
    }

    private static func gcd(_ one: UInt64, _ other: UInt64) -> UInt64 {
        var (one, other) = (one, other)
        while other != 0 { (one, other) = (other, one % other) }
        return one
    }

    private static func medianStep(_ numbers: [Int64]) -> Int64 {
        var last: Int64 = 0
        var steps: [Int64] = []
        steps.reserveCapacity(numbers.count)
        for number in numbers {
            steps.append(number &- last)
            last = number
        }
        steps.sort()
        return steps[steps.count / 2]
    }

    private static func best(_ numbers: [Int64], slope: Int64, mayRise: Bool) -> Plan {
        var best = Plan()
        var least = Int.max
        func consider(_ plan: Plan) {
            var plan = plan
            var sum: UInt64 = 0
            var zeros = 0
            var isRising = mayRise
            var predictor = Predictor(Predictor.kinds[plan.kind], slope: plan.slope)
            for number in numbers {
                let error = (number &- predictor.guess).zigzagged
                predictor.take(number)
                sum &+= min(error, 1 << 40)
                if error == 0 { zeros += 1 }
                if error & 1 == 1 { isRising = false }
            }
            plan.isRising = isRising
            plan.start = Rice.start(sum: isRising ? sum / 2 : sum, count: numbers.count)
            // A mean below what the others have in whole bits cannot be told before it is tried; one far above can.
            guard plan.start < 3 || numbers.count * (plan.start - 2) < least else { return }
            if zeros * 2 > numbers.count {
                var sparse = plan
                sparse.isSparse = true
                sparse.isRising = false
                let others = numbers.count - zeros
                sparse.start = Rice.start(sum: sum &- UInt64(others), count: others)
                sparse.runStart = Rice.start(sum: UInt64(zeros), count: others + 1)
                measure(sparse)
            }
            measure(plan)
        }
        func measure(_ plan: Plan) {
            var counter = BitCounter()
            write(numbers, plan, to: &counter)
            let bits = counter.bits + (plan.slope == 0 ? 0 : 24)
            if bits < least { (least, best) = (bits, plan) }
        }
        for kind in Predictor.kinds.indices {
            consider(Plan(kind: kind))
            if slope != 0, Predictor.kinds[kind].trendGain != 0 { consider(Plan(kind: kind, slope: slope)) }
        }
        return best
    }

    private static func write(_ numbers: [Int64], _ plan: Plan, to sink: inout some BitSink) {
        var predictor = Predictor(Predictor.kinds[plan.kind], slope: plan.slope)
        var errors = Rice(start: plan.start)
        sink.append(UInt64(plan.start), bits: Rice.startBits)
        guard plan.isSparse else {
            for number in numbers {
                let error = number &- predictor.guess
                errors.write(plan.isRising ? UInt64(bitPattern: error) : error.zigzagged, to: &sink)
                predictor.take(number)
            }
            return
        }
        var runs = Rice(start: plan.runStart)
        sink.append(UInt64(plan.runStart), bits: Rice.startBits)
        var run: UInt64 = 0
        for number in numbers {
            let error = (number &- predictor.guess).zigzagged
            predictor.take(number)
            guard error != 0 else {
                run += 1
                continue
            }
            runs.write(run, to: &sink)
            errors.write(error - 1, to: &sink)
            run = 0
        }
        if run > 0 { runs.write(run, to: &sink) }
    }

    // MARK: Reading

    /// `count` numbers, of which there must be one at least. The reader stands behind the column then.
    static func read(
        _ count: Int, hint: inout Int64, from reader: inout ByteReader
    ) throws(FormatError) -> [Int64] {
        let form = try reader.byte()
        let first = try reader.signed()
        guard form != 0 else { return [Int64](repeating: first, count: count) }
        let kind = Int(form & 0xF) - 1
        let isRising = form & rising != 0
        guard Predictor.kinds.indices.contains(kind), !isRising || form & sparse == 0 else {
            throw .invalid("form of a column")
        }
        let divisor = form & divided == 0 ? 1 : Int64(bitPattern: try reader.varint())
        var plan = Plan(kind: kind)
        plan.isSparse = form & sparse != 0
        if form & sloped != 0 {
            hint = hint &+ (try reader.signed())
            plan.slope = hint
        }
        var numbers: [Int64] = []
        numbers.reserveCapacity(count)
        numbers.append(first)
        var bits = BitReader(reader)
        plan.start = Int(try bits.read(Rice.startBits))
        if plan.isSparse {
            try readSparse(count, plan, divisor, &bits, &numbers)
        } else {
            var predictor = Predictor(Predictor.kinds[kind], slope: plan.slope)
            var errors = Rice(start: plan.start)
            for _ in 1..<max(count, 1) {
                let error = try errors.read(from: &bits)
                let number = predictor.guess &+ (isRising ? Int64(bitPattern: error) : error.unzigzagged)
                predictor.take(number)
                numbers.append(first &+ number &* divisor)
            }
        }
        _ = try reader.part(bits.nextByte - reader.position)
        return numbers
    }

    static func read(_ count: Int, from reader: inout ByteReader) throws(FormatError) -> [Int64] {
        var hint: Int64 = 0
        return try read(count, hint: &hint, from: &reader)
    }

    private static func readSparse(
        _ count: Int, _ plan: Plan, _ divisor: Int64, _ bits: inout BitReader, _ numbers: inout [Int64]
    ) throws(FormatError) {
        let first = numbers[0]
        var predictor = Predictor(Predictor.kinds[plan.kind], slope: plan.slope)
        var errors = Rice(start: plan.start)
        var runs = Rice(start: Int(try bits.read(Rice.startBits)))
        while numbers.count < count {
            let run = try runs.read(from: &bits)
            guard run <= UInt64(count - numbers.count) else { throw .invalid("run of a column") }
            for _ in 0..<run {
                let number = predictor.guess
                predictor.take(number)
                numbers.append(first &+ number &* divisor)
            }
            guard numbers.count < count else { break }
            let number = predictor.guess &+ (try errors.read(from: &bits) &+ 1).unzigzagged
            predictor.take(number)
            numbers.append(first &+ number &* divisor)
        }
    }
}
