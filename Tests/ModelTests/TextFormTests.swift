import Model
import Testing

@Suite("Text forms of times, durations and sizes")
struct TextFormTests {
    @Test(
        "a duration is read with its unit, and anything else is not a duration",
        arguments: [
            ("500 ms", Duration.milliseconds(500)), ("500ms", .milliseconds(500)), (" 1 h ", .seconds(3600)),
            ("1.5 s", .milliseconds(1500)), ("250 us", .microseconds(250)), ("250 µs", .microseconds(250)),
            ("5 min", .seconds(300)), ("5 m", .seconds(300)), ("2 d", .seconds(172_800)), ("1 w", .seconds(604_800)),
            ("0 s", .zero), ("", nil), ("5", nil), ("s", nil), ("-1 s", nil), ("1 s s", nil), ("1 parsec", nil),
            ("1..5 s", nil), ("1e3 s", nil), ("nan s", nil), ("inf s", nil), ("9999999999999999999 s", nil),
            ("١ s", nil),
        ] as [(String, Duration?)])
    func duration(text: String, expected: Duration?) {
        #expect(Duration(text: text) == expected)
    }

    @Test(
        "a duration is written in the largest unit that keeps it at 1 or more",
        arguments: [
            (Duration.milliseconds(250), "250 ms"), (.seconds(5), "5 s"), (.seconds(180), "3 min"),
            (.seconds(9000), "2.5 h"), (.seconds(345_600), "4 d"), (.zero, "0 s"), (.microseconds(3), "3 µs"),
            (.milliseconds(-1500), "-1.5 s"), (.milliseconds(59_960), "60 s"), (.nanoseconds(400), "0.4 µs"),
            (.milliseconds(-500), "-500 ms"),
        ])
    func durationText(duration: Duration, expected: String) {
        #expect(duration.text == expected)
    }

    @Test("a negative amount below 1 keeps its sign")
    func negativeFraction() {
        #expect(Duration.nanoseconds(-400).text == "-0.4 µs")
        #expect(ByteCount(-512).description == "-512 B")
    }

    @Test(
        "a size is read in binary and decimal units, and anything else is not a size",
        arguments: [
            ("64 MiB", 64 << 20), ("1 GiB", 1 << 30), ("1.5 KiB", 1536), ("10 MB", 10_000_000), ("7B", 7), ("0 B", 0),
            ("1 kB", 1000), ("8 TiB", 8 << 40), ("64", nil), ("MiB", nil), ("-1 B", nil), ("64 mib", nil),
            ("99999999999 TiB", nil), ("", nil),
        ] as [(String, Int64?)])
    func size(text: String, expected: Int64?) {
        #expect(ByteCount(text: text)?.rawValue == expected)
    }

    @Test(
        "a size is written with at most one decimal",
        arguments: [
            (512, "512 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (1 << 30, "1 GiB"), (0, "0 B"), (1023, "1023 B"),
            (5 << 50, "5120 TiB"), (1_048_575, "1024 KiB"),
        ] as [(Int64, String)])
    func sizeText(bytes: Int64, expected: String) {
        #expect(ByteCount(bytes).description == expected)
    }

    @Test(
        "a time is written in UTC with milliseconds, and reads back as itself",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_763_700_000_123, "2025-11-21T04:40:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func time(milliseconds: Int64, expected: String) {
        #expect(Milliseconds(milliseconds).iso8601 == expected)
        #expect(Milliseconds(iso8601: expected)?.rawValue == milliseconds)
    }

    @Test("every day of four centuries has the date behind its predecessor's")
    func calendar() {
        var previous = CivilTime(Milliseconds(CivilTime.days(year: 1899, month: 12, day: 31) * 86_400_000))
        for day in CivilTime.days(year: 1900, month: 1, day: 1)..<CivilTime.days(year: 2300, month: 1, day: 1) {
            let civil = CivilTime(Milliseconds(day * 86_400_000))
            let isNext =
                (civil.year, civil.month, civil.day) == (previous.year, previous.month, previous.day + 1)
                || (civil.year, civil.month, civil.day) == (previous.year, previous.month + 1, 1)
                || (civil.year, civil.month, civil.day) == (previous.year + 1, 1, 1)
            guard isNext, CivilTime.days(year: civil.year, month: civil.month, day: civil.day) == day else {
                Issue.record("\(civil) behind \(previous)")
                return
            }
            previous = civil
        }
    }

    @Test(
        "a time is read with and without its parts, its zone and its default zone",
        arguments: [
            ("2026-11-21", 0, "2026-11-21T00:00:00.000Z"), ("2026-11-21T08:15", 0, "2026-11-21T08:15:00.000Z"),
            ("2026-11-21T08:15:30", 0, "2026-11-21T08:15:30.000Z"),
            ("2026-11-21 08:15:30.1259", 0, "2026-11-21T08:15:30.125Z"),
            ("2026-11-21T08:15:30+02:00", 0, "2026-11-21T06:15:30.000Z"),
            ("2026-11-21T08:15:30-0330", 0, "2026-11-21T11:45:30.000Z"),
            ("2026-11-21T08:15:30", 3600, "2026-11-21T07:15:30.000Z"),
            ("2026-11-21T08:15:30Z", 3600, "2026-11-21T08:15:30.000Z"),
            ("2026-11-21", 3600, "2026-11-20T23:00:00.000Z"),
            ("2016-12-31T23:59:60Z", 0, "2017-01-01T00:00:00.000Z"),
        ])
    func timeParts(text: String, offset: Int, expected: String) {
        #expect(Milliseconds(iso8601: text, defaultOffset: offset)?.iso8601 == expected)
    }

    @Test(
        "what is no time is not read as one",
        arguments: [
            "", "now", "2026", "2026-11", "2026-13-01", "2026-00-10", "2026-11-32", "2026-11-21T", "2026-11-21T24:00",
            "2026-11-21T08:60", "2026-11-21T08:15:61", "2026-11-21T08:15:30+2", "2026-11-21T08:15:30 UTC",
            "2026-11-21T08:15:30+25:00", "2026-11-21T08:15:30+02:75", "2026-02-30", "2025-02-29", "26-11-21",
            "2026-1-1",
            "2026-11-21Z0", "2026-11-21T08:15:30.",
        ])
    func noTime(text: String) {
        #expect(Milliseconds(iso8601: text) == nil)
    }

    @Test("a fraction of any length is read, and cut to milliseconds")
    func longFraction() {
        let text = "2026-11-21T08:15:30." + String(repeating: "9", count: 100_000)
        #expect(Milliseconds(iso8601: text)?.iso8601 == "2026-11-21T08:15:30.999Z")
    }
}
