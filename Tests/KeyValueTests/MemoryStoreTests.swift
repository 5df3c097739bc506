import KeyValue
import TestKit
import Testing

@Suite("The store in memory")
struct MemoryStoreTests {
    @Test("keeps the contract", arguments: KeyValueContract.cases)
    func contract(_ contract: KeyValueContract) async throws {
        try await contract.check(MemoryStore())
    }

    @Test("an empty batch changes nothing, and a batch beyond the limit is refused")
    func batchLimit() async throws {
        let store = MemoryStore()
        try await store.apply([])
        let write = KeyValueWrite.put(.identity, key: "k", value: [])
        await #expect(throws: KeyValueError(.limit, "a batch of 65537 writes; the limit is 65536")) {
            try await store.apply(Array(repeating: write, count: 65_537))
        }
        #expect(try await store.get("k", in: .identity) == nil)
    }
}
