import Model
import Testing

@testable import TOMLConfiguration

@Suite struct DescribeTests {
    @Test func whatIsDescribedReadsBackAsTheSame() throws {
        let original = try loaded(everything)
        var again = try loaded(original.describe())
        again.notes = original.notes
        #expect(again == original)
    }

    @Test func theDescriptionOfDefaultsNamesEachOfThem() throws {
        let text = try loaded("").describe()
        for line in [
            #"ring_size = "1 GiB""#, #"commit_window = "1 s""#, "acks = 1  # gateways", "# listen: not set",
            #"level = "info""#, #"clock_wait = "30 s""#,
        ] {
            #expect(text.contains(line + "\n"))
        }
    }

    @Test func aRingIsAWholeNumberOfSegments() throws {
        #expect(try loaded("[storage]\nring_size = \"33 MiB\"").storage.ringSize == .mebibytes(32))
        #expect(try loaded("[storage]\nring_size = \"40 MiB\"").storage.ringSize == .mebibytes(40))
    }

    @Test func configurationsThatSayTheSameInOtherWordsAreEqual() throws {
        let short = try loaded("[storage]\ncommit_window = \"sync\"")
        let long = try loaded("# a comment\n\n[storage]\ncommit_window = \"0 s\"\nring_size = \"1024 MiB\"\n")
        #expect(short == long)
    }
}

/// Every kind of value, none at its default.
let everything = #"""
    [gateway]
    name = "böiler-room"
    data_dir = "/srv/covey"
    node = "00112233445566778899aabbccddeeff"
    clock = "ntp"
    [api]
    socket = "/tmp/c.sock"
    listen = "[::1]:8470"
    [storage]
    ring_size = "64 MiB"
    commit_window = "1.5 s"
    acks = 2
    when_full = "reject-new"
    clock_wait = "5 min"
    keep = "30 d"
    scrub_interval = "1 d"
    card_endurance = "20 TB"
    [log]
    level = "debug"
    [[broker]]
    name = "tls"
    url = "mqtts://broker.example:18883"
    ca_file = "ca \"quoted\".pem"
    cert_file = "c.pem"
    key_file = "k.pem"
    username = "u"
    password_file = "p"
    client_id = "x"
    version = "3.1.1"
    keep_alive = "90 s"
    session_expiry = "2 d"
    receive_maximum = 100
    silent_alarm = "off"
    publish = false
    shared = false
    [[device]]
    id = "zigbee-{device}"
    driver = "mqtt"
    topic = "z2m/{device}"
    decoder = "zigbee2mqtt"
    base_topic = "z2m"
    units = { "a.b" = "V", temperature = "°C" }
    time_zone = "-05:30"
    commit_window = "sync"
    max_rate = "600/min"
    expected_interval = "1500 ms"
    priority = 9
    [[device]]
    id = "json"
    driver = "mqtt"
    topic = "j"
    decoder = "json"
    paths = { t = "meta.t", rssi = { path = "meta.rssi", unit = "dBm", kind = "number" } }
    [[device]]
    id = "list"
    driver = "mqtt"
    topic = "l"
    decoder = "json"
    paths = ["a", "b.0.c"]
    [[device]]
    id = "number"
    driver = "mqtt"
    topic = "n"
    decoder = "number"
    metric = "temperature"
    unit = "°C"
    [[device]]
    id = "meter"
    driver = "gpio"
    chip = "/dev/gpiochip4"
    line = "METER"
    mode = "count"
    edge = "falling"
    bias = "pull-down"
    active_low = true
    debounce = "250 us"
    interval = "2 s"
    [[device]]
    id = "sampled"
    driver = "gpio"
    line = 7
    edge = "none"
    interval = "50 ms"
    [[device]]
    id = "wave"
    driver = "simulated"
    wave = "edges"
    metric = "m"
    unit = "V"
    period = "3 s"
    amplitude = 2
    mean = -1.25
    noise = 0.1
    interval = "10 ms"
    seed = 7
    [cluster]
    listen = "10.0.0.1:1"
    advertise = "192.0.2.1:8472"
    mdns = true
    seeds = ["[fe80::1]:2", "h:3"]
    key_file = "/k"
    replicas = 2
    [[upload]]
    name = "http"
    sink = "http"
    url = "https://h:1/p?q=1"
    headers = { X-A = "1", Authorization = "Basic x" }
    token_file = "t"
    ca_file = "ca"
    gzip = true
    timeout = "5 s"
    required = false
    linger = "0 s"
    max_rate = 0.5
    chunks_in_flight = 1
    [[upload]]
    name = "mqtt"
    sink = "mqtt"
    topic = "out/{gateway}/{node}/{log}"
    [[upload]]
    name = "file"
    sink = "file"
    path = "/f"
    rotate_at = "1 MB"
    """#
