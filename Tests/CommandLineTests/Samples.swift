/// What a gateway says, for the tests of how it is shown.
enum Samples {
    static let readings = [
        #"{"offset":4096,"device":"soil-3","metric":"moisture","unit":"%","t":1000000000123,"value":41.2,"quality":"good","gateway":"greenhouse-a","node":"9f86d081884c7d659a2feaa0c55ad015","log":"4be1aa0011223344"}"#,
        #"{"offset":4097,"device":"door, \"front\"","metric":"level","t":1000000000250,"value":true,"quality":"clock-unsynced","gateway":"greenhouse-a","node":"9f86d081884c7d659a2feaa0c55ad015","log":"4be1aa0011223344"}"#,
        #"{"offset":4098,"device":"plug","metric":"state","t":1000000001000,"value":"on\u001b[31m\n\"now\"","quality":"good","gateway":"greenhouse-a","node":"9f86d081884c7d659a2feaa0c55ad015","log":"4be1aa0011223344","new":[1]}"#,
    ]

    /// A ramp, a constant, a flag, a constant flag and a text.
    static let trends = [
        (#""ramp","metric":"t","value":8"#, "[1,2,3,4,5,6,7,8]"), (#""flat","metric":"t","value":2"#, "[2,2,2]"),
        (#""door","metric":"level","value":true"#, "[1,0,1]"), (#""lamp","metric":"level","value":true"#, "[1,1]"),
        (#""plug","metric":"state","value":"Online""#, "[]"),
    ].map { #"{"offset":1,"device":\#($0.0),"t":1000000000123,"quality":"good","history":\#($0.1)}"# }

    static let well =
        #"{"gateway":"g","health":"ok","reasons":[],"ledger":{"received":5,"stored":5},"brokers":[],"uploads":[{"name":"c","pending":0}],"tree":{"id":"covey","children":[{"id":"devices","children":[{"id":"d"}]}]}}"#
    static let empty =
        #"{"gateway":"g","health":"ok","reasons":[],"ledger":{"received":0,"stored":0,"streams":[]},"brokers":[],"uploads":[],"tree":{"id":"covey","children":[{"id":"devices","children":[]}]}}"#
    static let failing =
        #"{"gateway":"g","health":"failed","reasons":["readings stay in memory: no space left on device","broker local is refused","door is quarantined: stuck"],"ledger":{"received":5,"stored":5}}"#

    static func status(_ health: String) -> String {
        """
        {"gateway":"greenhouse-a","node":"9f86d081884c7d659a2feaa0c55ad015","version":"0.1.0","health":"\(health)",\
        "reasons":["broker local is retrying: connection refused by 127.0.0.1:1883 and a long story about why that may have happened"],"uptime_s":11520,\
        "ledger":{"received":12034,"waiting":3,"stored":12000,"duplicate":4,"rejected":{"malformed":12,"too-large":8},"dropped":{"quota":7},\
        "sinks":{"cloud":{"stored":12000,"uploaded":11000,"pending":990,"refused":10,"evicted":{},"damaged":0}},\
        "streams":[{"device":"soil-3","received":34,"waiting":0,"stored":20,"duplicate":0,"rejected":{"malformed":12},"dropped":{}}]},\
        "tree":{"id":"covey","kind":"supervisor","strategy":"one_for_one","state":"running","restarts":0,"children":[\
        {"id":"devices","kind":"supervisor","strategy":"one_for_one","state":"running","restarts":0,"children":[\
        {"id":"soil-3","kind":"worker","state":"running","restarts":3,"last_failure":"the driver threw: no such file or directory: /sys/bus/w1/devices/28-0000"},\
        {"id":"door","kind":"worker","state":"quarantined","restarts":5,"last_failure":"stuck"}]},\
        {"id":"api","kind":"worker","state":"running","restarts":0}]},\
        "ring":{"segments":256,"free":200,"bytes_written":1288490188,"readings":12000,"memory_only":false,"damaged":1,"lost":1,"retired":0,\
        "oldest_t":999900000000,"recovery":["segment 7 was torn: 3 blocks are set aside"],\
        "wear":{"bytes":12884901888,"syncs":900000,"running_s":2592000,"bytes_per_day":429496729,"card_endurance_bytes":20000000000000,"card_years":127.5}},\
        "uploads":[{"name":"cloud","state":"down","pending":990,"back_fill":900,"retry_in_s":12.5,"last_error":"https://ingest.example/v1/readings answered 503"}],\
        "brokers":[{"name":"local","state":"retrying","error":"connection refused"}],"peers":[],"future":{"a":1}}
        """
    }

    static let devices = """
        [{"id":"soil-3","driver":"mqtt","state":"running","last_t":1000000000123,"stored":20,"rejected":{"malformed":12},"dropped":{},"last_error":"payload of 3 bytes: not JSON"},\
        {"id":"a-device-with-a-very-long-name-that-does-not-fit-any-table","driver":"simulated","state":"stale","last_t":null,"stored":0,"rejected":{},"dropped":{"quota":7},"last_error":null}]
        """

    static let uploads =
        #"[{"name":"cloud","state":"ok","pending":0,"back_fill":0,"last_error":null},{"name":"archive"}]"#
    static let peers =
        #"[{"name":"greenhouse-b","node":"00112233445566778899aabbccddeeff","address":"10.0.0.2:8472","state":"suspect","since_s":12,"held":12034,"pending":7}]"#
}
