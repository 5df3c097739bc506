import KeyValue
import SQLiteStore
import TestKit
import Testing

struct CardTests {
    @Test
    func `a store whose card turned read-only goes on with the card that is put in after it`() async throws {
        let folder = try Folder()
        let card = try Card(at: folder.file("card"), mebibytes: 16)
        let store = try await SQLiteStore.open(at: folder.file("card/covey.db"))
        try await store.put(text: "one", for: "a", in: .devices)
        try card.failUnderJournal()
        await #expect(throws: KeyValueError.self) { try await store.put(text: "two", for: "b", in: .devices) }
        try card.pull()
        try card.putIn(at: folder.file("card"))
        // The first call may still meet the old one.
        if (try? await store.put(text: "two", for: "b", in: .devices)) == nil {
            try await store.put(text: "two", for: "b", in: .devices)
        }
        #expect(try await store.text(for: "a", in: .devices) == "one")
        #expect(try await store.text(for: "b", in: .devices) == "two")
        await store.close()
        let again = try await SQLiteStore.open(at: folder.file("card/covey.db"))
        #expect(try await again.text(for: "b", in: .devices) == "two")
        #expect(again.setAside.isEmpty)
        await again.close()
        try card.pull()
    }
}
