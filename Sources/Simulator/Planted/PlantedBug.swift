/// Errors that the simulator can plant at the seam between a core and its world, to see that each property catches its own.
package enum PlantedBug: String, CaseIterable, Sendable {
    case none
}
