import Model
import Testing

@testable import TOMLConfiguration

/// The example that others script against.
private let contract = """
    [gateway]                       # /etc/covey/covey.toml
    name     = "greenhouse-a"
    data_dir = "/var/lib/covey"
    [api]
    socket = "/run/covey/covey.sock"
    listen = "127.0.0.1:8470"       # HTTP: /v1/…, /metrics, /healthz ; absent = socket only
    [storage]
    ring_size     = "1 GiB"
    commit_window = "1 s"
    acks          = 1               # how many live gateways' disks before the source is acknowledged
    [[broker]]
    name = "local"
    url  = "mqtt://127.0.0.1:1883"  # mqtts:// with ca_file, cert_file, key_file; username, password_file
    [[device]]
    id      = "soil-3"
    driver  = "mqtt"
    broker  = "local"
    topic   = "tele/soil-3/SENSOR"  # + and # allowed; {device} captures one level
    decoder = "tasmota"             # json, number, tasmota, zigbee2mqtt, esphome, shelly, senml, line, …
    [[device]]
    id     = "door"
    driver = "gpio"
    chip   = "gpiochip0"
    line   = 3                      # or its name: line = "DOOR"
    edge   = "both"
    bias   = "pull-up"
    debounce = "5 ms"
    [cluster]
    listen   = "0.0.0.0:8472"
    seeds    = ["10.0.0.2:8472"]
    key_file = "/etc/covey/cluster.key"
    replicas = "all"
    [[upload]]
    name = "cloud"
    sink = "http"                   # http, mqtt, influx, postgres, file, …
    url  = "https://ingest.example/v1/readings"
    required = true                 # its receipts are needed before data may go
    """

@Suite struct ContractTests {
    @Test func everyKeyOfTheContractsExampleIsAccepted() throws {
        let configuration = try loaded(contract)
        #expect(configuration.gateway.name == "greenhouse-a")
        #expect(configuration.gateway.dataDirectory == "/var/lib/covey")
        #expect(
            configuration.api
                == APIConfiguration(socket: "/run/covey/covey.sock", listen: HostPort(host: "127.0.0.1", port: 8470)))
        #expect(configuration.storage.ringSize == .mebibytes(1024))
        #expect(configuration.storage.commitWindow == .seconds(1))
        #expect(configuration.brokers.map(\.address) == [HostPort(host: "127.0.0.1", port: 1883)])
        #expect(configuration.devices.map(\.id) == ["soil-3", "door"])
        guard case .gpio(let door) = configuration.devices[1].source else { throw Unexpected() }
        #expect(door.line == .number(3))
        #expect(door.bias == .pullUp)
        #expect(door.debounce == .milliseconds(5))
        #expect(configuration.cluster?.seeds == [HostPort(host: "10.0.0.2", port: 8472)])
        #expect(configuration.uploads.map(\.target.sink) == [.http])
        #expect(configuration.uploads.map(\.required) == [true])
    }

    @Test func theContractsExampleHasNeitherNoteNorFault() throws {
        #expect(try loaded(contract).notes.map(\.message) == [])
    }

    @Test func gatewaysAreLookedForByMDNSOnlyWhereThatIsAskedFor() throws {
        #expect(try loaded("[cluster]\nkey_file = \"/k\"").cluster?.mdns == false)
        let asked = try loaded("[cluster]\nkey_file = \"/k\"\nmdns = true")
        #expect(asked.cluster?.mdns == true)
        let note = "`mdns` has no use where only this machine is listened to"
        #expect(!asked.notes.contains { $0.message.contains(note) })
        let alone = try loaded("[cluster]\nlisten = \"127.0.0.1:8472\"\nmdns = true")
        #expect(alone.notes.contains { $0.message.contains(note) })
        #expect(faults("[cluster]\nkey_file = \"/k\"\nmdns = \"yes\"").count == 1)
    }

    @Test func aClusterNeedsAKeyButOnTheLoop() throws {
        #expect(
            faults("[cluster]\nlisten = \"0.0.0.0:8472\"") == [
                "1:1: [cluster] needs `key_file`: whoever has no key could join (make one with: covey key generate FILE)"
            ])
        #expect(try loaded("[cluster]\nlisten = \"127.0.0.1:8472\"").cluster?.keyFile == nil)
        #expect(try loaded("[cluster]\nkey_file = \"/k\"").cluster?.listen == HostPort(host: "0.0.0.0", port: 8472))
    }

    @Test func acksWithoutAClusterAreNoted() throws {
        let note = "`acks` = 2 has no effect without [cluster]"
        #expect(try loaded("[storage]\nacks = 2").notes.map(\.message).contains(note))
        let clustered = try loaded("[storage]\nacks = 2\n[cluster]\nkey_file = \"/k\"")
        #expect(!clustered.notes.map(\.message).contains(note))
    }

    @Test func anEmptyFileIsAGatewayWithDefaults() throws {
        let configuration = try loaded("")
        #expect(configuration.gateway.name == Paths.hostName)
        #expect(configuration.gateway.dataDirectory == "/var/lib/covey")
        #expect(configuration.gateway.clock == .auto)
        #expect(configuration.api == APIConfiguration(socket: "/run/covey/covey.sock", listen: nil))
        #expect(configuration.storage.whenFull == .dropOldest)
        #expect(configuration.storage.clockWait == .seconds(30))
        #expect(configuration.log.level == .info)
        #expect(configuration.cluster == nil)
    }

    @Test func defaultsOfBrokersDevicesAndUploadsAreFilledIn() throws {
        let configuration = try loaded(
            """
            [gateway]
            name = "g"
            [storage]
            commit_window = "5 s"
            [[broker]]
            name = "far"
            url = "mqtts://broker.example"
            [[device]]
            id = "d"
            driver = "mqtt"
            topic = "a/b"
            decoder = "number"
            [[upload]]
            name = "bus"
            sink = "mqtt"
            topic = "out"
            """)
        let broker = configuration.brokers[0]
        #expect(broker.address == HostPort(host: "broker.example", port: 8883))
        #expect(broker.tls == TLSFiles())
        #expect(broker.clientID == "covey-g")
        #expect(broker.publish)
        #expect(configuration.devices[0].commitWindow == .seconds(5))
        #expect(configuration.devices[0].priority == 5)
        guard case .mqtt(let source) = configuration.devices[0].source else { throw Unexpected() }
        #expect(source.broker == "far")
        #expect(configuration.uploads[0].target == .mqtt(.init(broker: "far", topic: "out")))
    }

    @Test func pathsAreRelativeToTheFilesFolder() throws {
        let configuration = try loaded(
            """
            [[broker]]
            name = "b"
            url = "mqtts://h"
            ca_file = "ca.pem"
            [[upload]]
            name = "f"
            sink = "file"
            path = "out/readings.jsonl"
            """)
        #expect(configuration.brokers[0].tls?.caFile == "/etc/covey/ca.pem")
        #expect(
            configuration.uploads[0].target
                == .file(.init(path: "/etc/covey/out/readings.jsonl", rotateAt: .mebibytes(64))))
    }
}

struct Unexpected: Error {}
