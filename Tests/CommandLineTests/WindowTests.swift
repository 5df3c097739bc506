import Model
import Testing

@testable import covey

/// `covey query --every`.
@Suite struct WindowTests {
    private func reading(_ device: String, _ time: Int64, _ value: String, node: String = "aa", name: String = "a")
        -> String
    {
        #"{"offset":1,"device":"\#(device)","metric":"m","t":\#(time),"value":\#(value),"quality":"good","gateway":"\#(name)","node":"\#(node)","log":"01"}"#
    }

    private func ask(_ readings: [String], _ arguments: [String], environment: [String: String] = [:]) async throws
        -> Outcome
    {
        try await CommandLineTests.ask(
            FakeDaemon(readings: readings), ["query"] + arguments, environment: environment)
    }

    @Test func `each series has one line in each window that it has readings in`() async throws {
        let readings = [
            reading("tide", 600_000, "1"), reading("tide", 700_000, "4"), reading("door", 700_001, "true"),
            reading("tide", 899_999, "2.5"), reading("door", 899_999, "false"), reading("tide", 900_000, "7"),
            reading("tide", 1_800_000, "9"),
        ]
        let outcome = try await ask(
            readings, ["--every", "5min", "--aggregate", "count,min,max,mean,first,last", "--format", "csv"])
        #expect(outcome.code == 0 && outcome.errors == "", "\(outcome)")
        #expect(
            outcome.output == """
                time,t,end_t,device,metric,unit,gateway,node,count,min,max,mean,first,last
                1970-01-01T00:10:00.000Z,600000,900000,door,m,,a,aa,2,false,true,0.5,true,false
                1970-01-01T00:10:00.000Z,600000,900000,tide,m,,a,aa,3,1,4,2.5,1,2.5
                1970-01-01T00:15:00.000Z,900000,1200000,tide,m,,a,aa,1,7,7,7,7,7
                1970-01-01T00:30:00.000Z,1800000,2100000,tide,m,,a,aa,1,9,9,9,9,9

                """)
    }

    @Test func `the same device of two gateways is two series, and texts have a count, a first and a last`()
        async throws
    {
        let readings = [
            reading("plug", 1, #""on""#), reading("plug", 2, "5", node: "bb", name: "b"), reading("plug", 3, #""off""#),
        ]
        let json = try await ask(
            readings, ["--every", "1 h", "--aggregate", "mean, first,last,count", "--format", "json"])
        #expect(
            json.output == """
                [
                {"t":0,"end_t":3600000,"device":"plug","metric":"m","gateway":"a","node":"aa","mean":null,"first":"on","last":"off","count":2},
                {"t":0,"end_t":3600000,"device":"plug","metric":"m","gateway":"b","node":"bb","mean":5,"first":5,"last":5,"count":1}
                ]

                """)
        let line = try await ask(readings, ["--every", "1h", "--aggregate", "mean,last", "--format", "line"])
        #expect(
            line.output == """
                plug,gateway=a m_last="off" 0000000
                plug,gateway=b m_mean=5,m_last=5 0000000

                """)
        let table = try await ask(readings, ["--every", "1h"])
        #expect(
            table.output == """
                FROM                 GATEWAY  DEVICE  METRIC  MEAN  MIN  MAX  COUNT  UNIT
                1970-01-01 05:45:00  a        plug    m          –    –    –      2
                1970-01-01 05:45:00  b        plug    m          5    5    5      1

                """)
    }

    @Test func `a mean that is next to nothing takes no more room than others`() async throws {
        let readings = [reading("tide", 0, "0.000002095787700673263"), reading("tide", 1, "-1.5e300")]
        let table = try await ask([readings[0]], ["--every", "1h", "--aggregate", "mean"])
        #expect(table.output.hasSuffix("tide    m       2.095788e-06\n"), "\(table)")
        let great = try await ask([readings[1]], ["--every", "1h", "--aggregate", "mean"])
        #expect(great.output.hasSuffix("tide    m       -1.5e+300\n"), "\(great)")
    }

    @Test func `days begin at midnight of the person's clock, weeks on a Monday, and change with its offset`()
        async throws
    {
        // Kathmandu's midnight is 18:15 UTC; 1970-01-05 was a Monday.
        let readings = [
            reading("tide", 65_699_999, "1"), reading("tide", 65_700_000, "2"), reading("tide", 324_900_000, "3"),
        ]
        let days = try await ask(readings, ["--every", "1d", "--aggregate", "count", "--format", "csv"])
        #expect(
            days.output.split(separator: "\n").dropFirst().map { $0.split(separator: ",")[1] } == [
                "-20700000", "65700000", "324900000",
            ], "\(days)")
        let weeks = try await ask(readings, ["--every", "1w", "--aggregate", "count", "--format", "csv"])
        #expect(
            weeks.output.split(separator: "\n").dropFirst().map { $0.split(separator: ",")[1] } == [
                "-279900000", "324900000",
            ], "\(weeks)")
        // 2025-03-30 has 23 hours in Berlin.
        let spring = [reading("tide", 1_743_300_000_000, "1")]
        let short = try await ask(
            spring, ["--every", "1d", "--aggregate", "count", "--format", "csv"],
            environment: ["TZ": "CET-1CEST,M3.5.0,M10.5.0/3"])
        #expect(
            short.output.split(separator: "\n").last?.split(separator: ",")[1...2] == [
                "1743289200000", "1743372000000",
            ],
            "\(short)")
    }

    @Test func `a mean is exact where it can be, and neither great numbers nor what is not finite spoil it`() {
        var tenths = Tally()
        for _ in 0..<1_000_000 { tenths.take(.number("0.1")) }
        #expect(tenths.value(.mean) == .number("0.1"))
        var great = Tally()
        for text in ["1.7e308", "1.7e308", "1e999", "-1e999"] { great.take(.number(text)) }
        #expect(great.value(.mean)?.double == 1.7e308)
        #expect(great.value(.count) == .number("4") && great.value(.max)?.double == 1.7e308)
        var mixed = Tally()
        for value in [JSONValue.text("x"), .flag(true), .number("3"), .null] { mixed.take(value) }
        #expect(mixed.value(.mean) == .number("2") && mixed.value(.min) == .number("1"))
        #expect(mixed.value(.first) == .text("x") && mixed.value(.count) == .number("4"))
    }

    @Test func `what comes behind its window is told of, and the lines stay one for each window`() async throws {
        let readings = [reading("tide", 0, "1"), reading("tide", 60_000, "2"), reading("tide", 59_999, "3")]
        let outcome = try await ask(readings, ["--every", "1min", "--aggregate", "count", "--format", "csv"])
        #expect(outcome.output.split(separator: "\n").count == 3, "\(outcome)")
        #expect(outcome.errors.contains("1 readings came behind a later window"), "\(outcome)")
    }

    @Test(arguments: [
        ["--every", "0s"], ["--every", "soon"], ["--every", "1.5us"], ["--every", "1h", "--aggregate", "median"],
        ["--every", "1h", "--aggregate", ""], ["--every", "1h", "--aggregate", "min,min"], ["--aggregate", "min"],
        ["--every", "1h", "--limit", "3"],
    ])
    func `a wrong window is a wrong call`(arguments: [String]) async throws {
        let outcome = try await ask([], arguments)
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errors != "", "\(outcome)")
    }
}
